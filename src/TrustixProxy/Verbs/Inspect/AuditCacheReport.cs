using System.Text;
using System.Text.Json;
using TrustixProxy.Consensus;
using TrustixProxy.Nars.Auditing;
using TrustixProxy.Nars.Comparison;
using TrustixProxy.Nix;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Inspect;

/// <summary>What <c>audit-cache</c> has found, for people and for programs.</summary>
/// <param name="demands">What was audited.</param>
/// <param name="asked">The paths that the user has named.</param>
/// <param name="result">What was found.</param>
internal sealed class AuditCacheReport(AuditDemands demands, IReadOnlyCollection<StorePath> asked, CacheAuditResult result)
{
    private int Paths => result.Right + result.Others.Count + result.Left;

    /// <summary>A reference that the cache does not have may be in another cache; a path that the user has named may not.</summary>
    private int Code => Count(AuditVerdict.Wrong) > 0 ? ExitCode.No
        : result.Left > 0 || Count(AuditVerdict.Unknown) > 0
            || result.Others.Any(path => path.Verdict is AuditVerdict.Absent && asked.Contains(path.Path)) ? ExitCode.Unknown
        : ExitCode.Good;

    /// <summary>Writes it; returns the exit code.</summary>
    public int Write(TextWriter output, bool isJson)
    {
        if (isJson)
        {
            output.WriteLine(JsonSerializer.Serialize(Json(), VerbJson.Indented.CacheAuditJson));
            return Code;
        }

        output.WriteLine($"{demands.Cache.Url}: {Paths:N0} {(Paths is 1 ? "path" : "paths")}");
        WriteCount(output, "right", result.Right, result.Earlier is 0 ? "" : $"  ({result.Earlier:N0} checked earlier)");
        foreach (var verdict in new[] { AuditVerdict.Wrong, AuditVerdict.Absent, AuditVerdict.Unknown })
        {
            WriteCount(output, Kebab.Of(verdict), Count(verdict));
        }

        WriteCount(output, "not checked", result.Left, demands.Cache.Url.IsFile ? "" : "  (stopped, or the cache went away: run it again)");
        foreach (var path in result.Others.OrderBy(path => path.Verdict))
        {
            Write(output, path);
        }

        return Code;
    }

    private static void Write(TextWriter output, AuditedPath path)
    {
        var mark = path.Verdict is AuditVerdict.Wrong ? "WRONG" : Kebab.Of(path.Verdict);
        output.WriteLine($"{mark} {path.Path.Absolute}{(path.Why is { } why ? $": {Plain(why)}" : "")}");
        foreach (var fault in path.Faults)
        {
            output.WriteLine($"  {Kebab.Of(fault.Kind)}: the narinfo says {Plain(fault.Said)}; found: {Plain(fault.Found)}");
        }
    }

    private static void WriteCount(TextWriter output, string word, int count, string remark = "")
    {
        if (count > 0)
        {
            output.WriteLine($"  {word,-18}{count,8:N0}{remark}");
        }
    }

    private CacheAuditJson Json() => new(
        demands.Cache.Url.ToString(), Paths, result.Right, result.Earlier, Count(AuditVerdict.Wrong), Count(AuditVerdict.Absent),
        Count(AuditVerdict.Unknown), result.Left,
        result.Others.Select(path => new AuditedPathJson(path.Path.Absolute, Kebab.Of(path.Verdict), path.Why,
            path.Faults.Select(fault => new CacheFaultJson(Kebab.Of(fault.Kind), fault.Said, fault.Found)))));

    private int Count(AuditVerdict verdict) => result.Others.Count(path => path.Verdict == verdict);

    /// <summary>A cache's words without characters that a terminal obeys.</summary>
    private static string Plain(string text) => Printable.Of(Encoding.UTF8.GetBytes(text));
}
