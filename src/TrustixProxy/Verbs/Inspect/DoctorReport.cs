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

    /// <summary>Whether anything would be refused for what electors say, or is installed otherwise than they prove.</summary>
    public bool IsUnwell => findings.Any(finding => finding is { IsServed: false, IsUncertain: false } || finding.Against.Count > 0);

    /// <summary>Whether something could not be found out.</summary>
    public bool IsUncertain => findings.Any(finding => finding is { IsServed: false, IsUncertain: true });

    /// <summary>Installed otherwise than an elector proves, the most contradicted first.</summary>
    private List<Finding> Contradicted =>
        [.. findings.Where(finding => finding.Against.Count > 0).OrderByDescending(finding => finding.Against.Count)
        .ThenByDescending(finding => finding.NeededBy)];

    /// <summary>What would be refused: what is revoked first, then conflicts, and of each what others need most.</summary>
    private List<Finding> Refused =>
        [.. findings.Where(finding => !finding.IsServed)
        .OrderBy(finding => finding.Outcome switch { Outcome.Revoked => 0, Outcome.Conflict => 1, _ => 2 })
        .ThenByDescending(finding => finding.NeededBy)];

    /// <summary>How many undecided paths each elector could complete, and what it says of them now.</summary>
    private List<(string Elector, int Count, Dictionary<string, int> Now)> Helpers =>
    [
        .. findings.SelectMany(finding => finding.Completing).GroupBy(vote => vote.Key)
            .Select(group =>
                (group.Key, group.Count(), group.GroupBy(vote => Now(vote.Value)).ToDictionary(now => now.Key, now => now.Count())))
            .OrderByDescending(helper => helper.Item2).ThenBy(helper => helper.Key, StringComparer.Ordinal),
    ];

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

        WriteContradicted(output);
        WriteRefused(output);
        WriteHelpers(output);
    }

    private void WriteContradicted(TextWriter output)
    {
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

        output.WriteLine($"worst of {Count(refused.Count)} that would be refused:");
        foreach (var finding in refused.Take(Most))
        {
            var installed = finding.Installed is null ? "" : "installed, and ";
            var doubt = finding.IsUncertain ? " (some answers missing)" : "";
            output.WriteLine($"  needed by {finding.NeededBy:N0}  {finding.Path.Absolute}: "
                + $"{installed}{finding.Outcome.Word()}{doubt}: {finding.Sentence}");
            if (finding.HoldsBack.Count > 0)
            {
                output.WriteLine($"    holds back {string.Join(", ", finding.HoldsBack.Select(root => root.Absolute))}");
            }
        }
    }

    private void WriteHelpers(TextWriter output)
    {
        var undecided = findings.Count(finding => finding.Outcome is Outcome.Undecided);
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
        [.. Contradicted.Select(finding => new ContradictedPath(finding.Path.Absolute, finding.Outcome.Word(),
            finding.Installed!.ToString(), finding.Against.ToDictionary(vote => vote.Key, vote => vote.Value.ToString())))],
        [.. Refused.Select(finding => new RefusedPath(finding.Path.Absolute, finding.Outcome.Word(), finding.Sentence, finding.IsUncertain,
            finding.Installed?.ToString(), finding.NeededBy, finding.Completing.ToDictionary(vote => vote.Key, vote => Now(vote.Value))))],
        [.. Helpers.Select(helper => new HelpfulElector(helper.Elector, helper.Count, helper.Now))])
    {
        Upstreams = upstreams,
        Unwitnessed = unwitnessed,
        RefusedNars = refusedNars,
    };
}
