using System.Text.Json;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Inspection;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Inspect;

/// <summary>One side of a change.</summary>
/// <param name="Paths">Its paths.</param>
/// <param name="File">The file that lists them, one a line; null for a closure.</param>
internal sealed record GateSide(IReadOnlyList<StorePath> Paths, string? File)
{
    /// <summary>What was found while the closure of a path that is not installed was followed; empty otherwise.</summary>
    public IReadOnlyList<Finding> Findings { get; init; } = [];
}

/// <summary>What <c>gate</c> has found, for people, for programs and for GitHub.</summary>
internal sealed class GateReport(GateSide before, GateSide after, IReadOnlyList<Finding> findings)
{
    /// <summary>The exit code.</summary>
    public int Code => findings.Any(IsBad) ? ExitCode.No : findings.Any(finding => !finding.IsServed) ? ExitCode.Unknown : ExitCode.Good;

    /// <summary>What needs attention first, each part in the order of the paths.</summary>
    private IEnumerable<Finding> Ordered => findings.OrderBy(finding => IsBad(finding) ? 0 : finding.IsServed ? 2 : 1);

    private List<StorePath> Removed => [.. before.Paths.Except(after.Paths)];

    private string Summary => $"{Count(findings.Count)} added, {Removed.Count:N0} removed; of the added {findings.Count(IsBad):N0} "
        + $"do not pass, {findings.Count(finding => !IsBad(finding) && !finding.IsServed):N0} are uncertain";

    public void Write(TextWriter output, string format)
    {
        switch (format)
        {
            case "json":
                output.WriteLine(JsonSerializer.Serialize(Json(), VerbJson.Indented.GateJson));
                break;
            case "github":
                WriteAnnotations(output);
                break;
            default:
                WriteText(output);
                break;
        }
    }

    /// <summary>Whether the policy refuses it, or it is installed otherwise than electors prove.</summary>
    private static bool IsBad(Finding finding) => finding is { IsServed: false, IsUncertain: false } || finding.IsContradicted;

    private void WriteText(TextWriter output)
    {
        output.WriteLine(Summary);
        foreach (var finding in Ordered)
        {
            output.WriteLine($"{(IsBad(finding) ? "FAIL" : finding.IsServed ? "pass" : "open")}  {finding.Outcome.Word(),-18} "
                + $"{finding.Path.Absolute}{(IsBad(finding) || !finding.IsServed ? $": {Why(finding)}" : "")}");
        }
    }

    /// <summary>Writes workflow commands. GitHub shows ten errors and ten warnings of a step, so the summary comes first.</summary>
    private void WriteAnnotations(TextWriter output)
    {
        var lines = after.File is null ? [] : after.Paths.Select((path, at) => (path, at)).DistinctBy(item => item.path)
            .ToDictionary(item => item.path, item => item.at + 1);
        output.WriteLine($"::notice title=trustix-proxy gate::{GitHubCommand.Data(Summary)}");
        foreach (var finding in Ordered.Where(finding => IsBad(finding) || !finding.IsServed))
        {
            var place = lines.TryGetValue(finding.Path, out var line) ? $"file={GitHubCommand.Property(after.File!)},line={line}," : "";
            output.WriteLine($"::{(IsBad(finding) ? "error" : "warning")} {place}"
                + $"title={GitHubCommand.Property($"{finding.Outcome.Word()}: {finding.Path.Name}")}::"
                + GitHubCommand.Data($"{finding.Path.Absolute}: {Why(finding)}"));
        }
    }

    private static string Why(Finding finding)
    {
        var against = finding.Against.Select(vote => $"{vote.Key} proves {vote.Value}");
        return (finding.IsServed ? "" : finding.Sentence) + (!finding.IsContradicted ? ""
            : $"{(finding.IsServed ? "" : "; ")}{finding.Installed} is installed, and {string.Join(", ", against)}");
    }

    private GateJson Json() => new(
        Code is ExitCode.Good, findings.Count(IsBad), findings.Count(finding => !IsBad(finding) && !finding.IsServed),
        Ordered.Select(finding => new GatedPath(
            finding.Path.Absolute, !IsBad(finding) && finding.IsServed, finding.Outcome.Word(), finding.Sentence,
            !finding.IsServed && finding.IsUncertain, finding.Installed?.ToString(),
            finding.Against.ToDictionary(vote => vote.Key, vote => vote.Value.ToString()))),
        Removed.Select(path => path.Absolute));

    private static string Count(int number) => $"{number:N0} {(number is 1 ? "path" : "paths")}";
}
