using System.Text.Json;
using TrustixProxy.Consensus;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Substituter.Inspection;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Inspect;

/// <summary>What <c>doctor</c> has found, for people and for programs.</summary>
internal sealed class DoctorReport(
    IReadOnlyList<Finding> findings, IReadOnlyList<UpstreamReport> upstreams, IReadOnlyList<UnwitnessedLog> unwitnessed,
    IReadOnlyList<RefusedNar> refusedNars)
{
    private const int Most = 10;

    private const int MostOfCause = 3;

    /// <summary>What the findings say to a script: the answer is no if a path would be refused for what electors say, or is installed
    /// otherwise than they prove; unknown if answers are missing. Compared with a baseline, only what is new or became worse
    /// counts.</summary>
    public int ExitCode => Shown.Any(IsUnwell) ? Terminal.ExitCode.No
        : Acl is { IsWell: false } ? Terminal.ExitCode.No
        : Shown.Any(finding => finding is { IsServed: false, IsUncertain: true }) ? Terminal.ExitCode.Unknown : Terminal.ExitCode.Good;

    /// <summary>The keys that a client of Guix believes; null where none was looked at.</summary>
    public ClientAcl? Acl { get; init; }

    /// <summary>What in this machine's Nix bypasses the vote.</summary>
    public IReadOnlyList<string> Bypasses { get; init; } = [];

    /// <summary>What is shown one by one: all, or what differs from the baseline.</summary>
    private IReadOnlyList<Finding> Shown => News ?? findings;

    private IReadOnlyList<Finding>? News { get; init; }

    private BaselineDifference? Difference { get; init; }

    /// <summary>Installed otherwise than an elector proves, the most contradicted first.</summary>
    private List<Finding> Contradicted =>
        [.. Shown.Where(finding => finding.IsContradicted).OrderByDescending(finding => finding.Against.Count)
        .ThenByDescending(finding => finding.NeededBy)];

    private List<Finding> Dissented => [.. findings.Where(finding => finding.IsDissented)];

    /// <summary>What would be refused, the worst first.</summary>
    private List<Finding> Refused => [.. Finding.WorstFirst(Shown.Where(finding => !finding.IsServed))];

    /// <summary>The same by cause, the most frequent first.</summary>
    private List<IGrouping<string, Finding>> Causes =>
        [.. Refused.GroupBy(Cause.Of).OrderByDescending(cause => cause.Count())];

    /// <summary>How many undecided paths each elector could complete, and what it says of them now.</summary>
    private List<(string Elector, int Count, Dictionary<string, int> Now)> Helpers =>
    [
        .. Shown.SelectMany(finding => finding.Completing).GroupBy(vote => vote.Key)
            .Select(group =>
                (group.Key, group.Count(), group.GroupBy(vote => Now(vote.Value)).ToDictionary(now => now.Key, now => now.Count())))
            .OrderByDescending(helper => helper.Item2).ThenBy(helper => helper.Key, StringComparer.Ordinal),
    ];

    /// <summary>Returns the same report with only what differs from a baseline.</summary>
    public DoctorReport Since(BaselineDifference difference)
    {
        var news = difference.New.Concat(difference.Changed).ToHashSet();
        return new DoctorReport(findings, upstreams, unwitnessed, refusedNars)
        {
            News = [.. findings.Where(finding => news.Contains(finding.Path.Absolute))],
            Difference = difference,
            Acl = Acl,
            Bypasses = Bypasses,
        };
    }

    public void Write(TextWriter output, bool isJson)
    {
        if (isJson)
        {
            output.WriteLine(JsonSerializer.Serialize(Summary, VerbJson.Indented.DoctorSummary));
            return;
        }

        output.WriteLine($"{Count(findings.Count)}, {findings.Count(finding => finding.Installed is not null):N0} of them installed");
        foreach (var (outcome, count) in Outcomes())
        {
            output.WriteLine($"  {outcome.Word(),-18}{count,8:N0}");
        }

        foreach (var log in unwitnessed)
        {
            output.WriteLine($"log {log}");
        }

        foreach (var upstream in upstreams.Where(upstream => upstream.State is not "live"))
        {
            output.WriteLine($"upstream {upstream}");
        }

        foreach (var nar in refusedNars.Take(Most))
        {
            output.WriteLine(nar);
        }

        foreach (var bypass in Bypasses)
        {
            output.WriteLine($"BYPASSES THE VOTE {bypass}");
        }

        WriteAcl(output);
        WriteDifference(output);
        WriteContradicted(output);
        WriteRefused(output);
        WriteHelpers(output);
    }

    /// <summary>Whether a finding is a reason for the answer no.</summary>
    private bool IsUnwell(Finding finding) =>
        (finding is { IsServed: false, IsUncertain: false } || finding.IsContradicted)
        && (Difference is not { } difference || difference.New.Concat(difference.Worse).Contains(finding.Path.Absolute));

    private void WriteAcl(TextWriter output)
    {
        if (Acl is not { } acl)
        {
            return;
        }

        foreach (var (key, owner) in acl.Bypassing)
        {
            output.WriteLine($"BYPASSES THE VOTE {key}{(owner is null ? "" : $" of {owner}")}: what it signs alone is installed, as "
                + $"{acl.File} has it");
        }

        foreach (var key in acl.OfFallback)
        {
            output.WriteLine($"report mode needs {key} in {acl.File}: take it out when you enforce the vote");
        }

        output.WriteLine(acl.IsWell ? $"{acl.File} has the proxy's key, and none that bypasses the vote"
            : acl.IsProxyBelieved ? $"  leave in {acl.File} the proxy's key alone; the farms may stay among the addresses of guix-daemon, "
                + "where they deliver what the proxy decides:"
            : $"{acl.File} lacks the proxy's key, so nothing that it serves is believed. Authorize it:");
        if (!acl.IsWell)
        {
            var first = acl.Bypassing.Count is 0 ? "" : $"printf '(acl)' > {ClientAcl.DefaultFile}; ";
            output.WriteLine($"  {first}echo '{acl.ProxyKey}' | guix archive --authorize");
        }
    }

    private void WriteDifference(TextWriter output)
    {
        if (Difference is { } difference)
        {
            output.WriteLine($"since {difference.Since.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}: {difference.New.Count:N0} new, "
                + $"{difference.Changed.Count:N0} changed, {difference.Solved.Count:N0} solved, {difference.Same:N0} as before, "
                + $"{difference.NotSeen:N0} not looked at this time");
            foreach (var path in difference.Solved.Take(Most))
            {
                output.WriteLine($"solved {path}");
            }
        }
    }

    private void WriteContradicted(TextWriter output)
    {
        if (Dissented is { Count: > 0 } dissented)
        {
            var outvoted = dissented.SelectMany(finding => finding.Against.Keys).GroupBy(elector => elector)
                .Select(elector => $"{elector.Key} {elector.Count():N0}");
            output.WriteLine($"{Count(dissented.Count)} installed as accepted, against outvoted electors: {string.Join(", ", outvoted)}");
        }

        foreach (var finding in Contradicted)
        {
            var others = finding.Against.GroupBy(vote => vote.Value).Select(
                group => $"{string.Join(", ", group.Select(vote => vote.Key))} {(group.Count() is 1 ? "proves" : "prove")} {group.Key}");
            output.WriteLine($"INSTALLED DIFFERS {finding.Path.Absolute} ({finding.Outcome.Word()}): {finding.Installed} is installed, and "
                + $"{string.Join("; ", others)}");
        }
    }

    private void WriteRefused(TextWriter output)
    {
        if (Refused is not { Count: > 0 } refused)
        {
            return;
        }

        output.WriteLine($"{Count(refused.Count)} would be refused, by cause:");
        foreach (var cause in Causes.Take(Most))
        {
            output.WriteLine($"  {Count(cause.Count())}: {cause.Key}");
            foreach (var finding in cause.Take(MostOfCause))
            {
                WriteRefused(output, finding);
            }
        }

        output.WriteLine("  trustix-proxy why PATH shows the chain from a root to what holds it back, and what would help");
    }

    private static void WriteRefused(TextWriter output, Finding finding)
    {
        var installed = finding.Installed is null ? "" : "installed, and ";
        var doubt = finding.IsUncertain ? " (some answers missing)" : "";
        output.WriteLine($"    needed by {finding.NeededBy:N0}  {finding.Path.Absolute}: "
            + $"{installed}{finding.Outcome.Word()}{doubt}: {finding.Sentence}");
        if (finding.HoldsBack.Count > 0)
        {
            output.WriteLine($"      holds back {string.Join(", ", finding.HoldsBack.Select(root => root.Absolute))}");
        }
    }

    private void WriteHelpers(TextWriter output)
    {
        var undecided = Shown.Count(finding => finding.Outcome is Outcome.Undecided);
        foreach (var (elector, count, now) in Helpers.Take(Most))
        {
            output.WriteLine($"a vote of {elector} would decide {count:N0} of {Count(undecided)} that {(undecided is 1 ? "is" : "are")} "
                + $"undecided (now {string.Join(", ", now.Select(item => $"{item.Key} {item.Value:N0}"))})");
        }

        if (undecided > 0 && Helpers.Count is 0)
        {
            output.WriteLine($"no single vote would decide any of {Count(undecided)} that {(undecided is 1 ? "is" : "are")} "
                + $"undecided: each lacks two or more");
        }
    }

    private List<(Outcome Outcome, int Count)> Outcomes() =>
        [.. findings.GroupBy(finding => finding.Outcome).Select(group => (group.Key, group.Count()))
        .OrderByDescending(outcome => outcome.Item2)];

    private static string Now(SilenceReason? reason) => reason is { } why ? Kebab.Of(why) : "absent";

    private static string Count(int number) => $"{number:N0} {(number is 1 ? "path" : "paths")}";

    /// <summary>The same for programs, and to be kept.</summary>
    public DoctorSummary Summary => new(
        findings.Count,
        findings.Count(finding => finding.Installed is not null),
        Outcomes().ToDictionary(outcome => outcome.Outcome.Word(), outcome => outcome.Count),
        [.. Contradicted.Select(Contradiction)],
        [.. Refused.Select(finding => new RefusedPath(finding.Path.Absolute, finding.Outcome.Word(), finding.Sentence, finding.IsUncertain,
            finding.Installed?.ToString(), finding.NeededBy, finding.Completing.ToDictionary(vote => vote.Key, vote => Now(vote.Value)))
            { Cause = Cause.Of(finding), Roots = finding.RootsHeldBack })],
        [.. Helpers.Select(helper => new HelpfulElector(helper.Elector, helper.Count, helper.Now))])
    {
        Upstreams = upstreams,
        Unwitnessed = unwitnessed,
        RefusedNars = refusedNars,
        Dissents = [.. Dissented.Select(Contradiction)],
        Causes = [.. Causes.Select(cause => new RefusalCause(cause.Key, cause.Count(), cause.First().Path.Absolute))],
        Baseline = Difference,
        Acl = Acl,
        Bypasses = Bypasses,
    };

    private static ContradictedPath Contradiction(Finding finding) => new(
        finding.Path.Absolute, finding.Outcome.Word(), finding.Installed!.ToString(),
        finding.Against.ToDictionary(vote => vote.Key, vote => vote.Value.ToString()));
}
