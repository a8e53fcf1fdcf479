using System.Collections.Concurrent;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Inspection;

/// <summary>A path to check.</summary>
/// <param name="Installed">SHA-256 of its NAR as installed on this machine; null if not installed.</param>
/// <param name="References">References as installed; empty if not installed.</param>
public sealed record Patient(StorePath Path, NixHash? Installed, IReadOnlyList<StorePath> References);

/// <summary>Finding for one path.</summary>
/// <param name="Outcome">What would be decided.</param>
/// <param name="Sentence">The reason in one line.</param>
/// <param name="IsServed">Whether it would be served.</param>
/// <param name="IsUncertain">Whether an elector that failed to answer could have changed the outcome.</param>
/// <param name="Installed">The installed NAR hash; null if not installed.</param>
/// <param name="Against">Proven claims that differ from the installed path, by elector.</param>
/// <param name="NeededBy">Number of other paths that depend on it, directly or indirectly.</param>
/// <param name="Completing">Electors whose vote for the only proven claim would complete the rule, with the reason for silence; null if it
/// answered absent.</param>
public sealed record Finding(
    StorePath Path, Outcome Outcome, string Sentence, bool IsServed, bool IsUncertain, NixHash? Installed,
    IReadOnlyDictionary<string, NixHash> Against, int NeededBy, IReadOnlyDictionary<string, SilenceReason?> Completing)
{
    /// <summary>If refused, the roots that depend on it: paths that no other path refers to.</summary>
    public IReadOnlyList<StorePath> HoldsBack { get; init; } = [];
}

/// <summary>Checks many paths and reports problems.</summary>
/// <param name="explainer">Explains one path.</param>
public sealed class Doctor(Explainer explainer, Policy policy)
{
    private const int AtOnce = 16;

    /// <summary>Checks each path, and again those left open by a failure. The findings are in the order of the paths.</summary>
    /// <param name="patients">The paths, each once.</param>
    /// <param name="onExplained">Called after each path.</param>
    public async Task<IReadOnlyList<Finding>> ExplainAsync(
        IReadOnlyList<Patient> patients, Action onExplained, CancellationToken cancellation)
    {
        var (findings, needed) = (new ConcurrentDictionary<StorePath, Finding>(), FindNeeds(patients));
        var limits = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellation };
        async ValueTask ExplainAsync(Patient patient, CancellationToken token)
        {
            var explanation = await explainer.ExplainAsync(patient.Path.Digest, patient.Path, isHasty: true).WaitAsync(token);
            findings[patient.Path] = Find(patient, explanation, needed[patient.Path]);
        }

        await Parallel.ForEachAsync(patients, limits, async (patient, token) =>
        {
            await ExplainAsync(patient, token);
            onExplained();
        });
        await Parallel.ForEachAsync(
            patients.Where(patient => findings[patient.Path] is { IsServed: false, IsUncertain: true }).ToList(), limits, ExplainAsync);
        return [.. patients.Select(patient => findings[patient.Path])];
    }

    private Finding Find(Patient patient, Explanation explanation, Needs needs)
    {
        var votes = (explanation.Verdict?.Answers ?? []).Where(answer => answer.Ballot is Ballot.Claimed).ToList();
        var against = votes.Select(answer => (answer.Elector.Name, Hash: ((Ballot.Claimed)answer.Ballot).Claim.NarHash))
            .Where(vote => patient.Installed is not null && vote.Hash != patient.Installed);
        var completing = explanation.Outcome is Outcome.Undecided ? Completing(patient.Path, explanation.Verdict!) : [];
        return new Finding(
            patient.Path, explanation.Outcome, explanation.Sentence, explanation.Claim is not null,
            explanation.Outcome is not Outcome.Revoked && (explanation.WasCutShort || explanation.Verdict is null), patient.Installed,
            against.ToDictionary(vote => vote.Name, vote => vote.Hash), needs.Paths, completing)
        {
            HoldsBack = explanation.Claim is null ? needs.Roots : [],
        };
    }

    /// <summary>Returns the electors that could each complete the rule alone.</summary>
    private Dictionary<string, SilenceReason?> Completing(StorePath path, Verdict verdict)
    {
        var ballots = verdict.Answers.ToDictionary(answer => answer.Elector.Name, answer => answer.Ballot);
        return ballots.Values.FirstOrDefault(ballot => ballot is Ballot.Claimed) is not { } vote ? []
            : verdict.Answers.Where(answer => answer.Ballot is not Ballot.Claimed)
                .Where(answer =>
                    policy.Decide(path, new Dictionary<string, Ballot>(ballots) { [answer.Elector.Name] = vote }).Granted is not null)
                .ToDictionary(answer => answer.Elector.Name, answer => (answer.Ballot as Ballot.Silent)?.Reason);
    }

    /// <summary>Computes the direct and indirect dependants of each path.</summary>
    private static Dictionary<StorePath, Needs> FindNeeds(IReadOnlyList<Patient> patients)
    {
        var referrers = patients.ToDictionary(patient => patient.Path, _ => new List<StorePath>());
        foreach (var patient in patients)
        {
            foreach (var reference in patient.References.Where(reference => reference != patient.Path && referrers.ContainsKey(reference)))
            {
                referrers[reference].Add(patient.Path);
            }
        }

        return patients.ToDictionary(patient => patient.Path, patient => Reach(patient.Path, referrers));
    }

    private static Needs Reach(StorePath start, Dictionary<StorePath, List<StorePath>> referrers)
    {
        var (seen, next) = (new HashSet<StorePath> { start }, new Stack<StorePath>([start]));
        while (next.TryPop(out var path))
        {
            foreach (var referrer in referrers[path].Where(seen.Add))
            {
                next.Push(referrer);
            }
        }

        return new Needs(seen.Count - 1, [.. seen.Where(path => path != start && referrers[path].Count is 0).Take(Needs.MaxRoots)]);
    }

    /// <summary>Dependants of a path.</summary>
    /// <param name="Paths">Number of paths.</param>
    /// <param name="Roots">Those that no other path refers to; at most <see cref="MaxRoots"/>.</param>
    private sealed record Needs(int Paths, IReadOnlyList<StorePath> Roots)
    {
        public const int MaxRoots = 10;
    }
}
