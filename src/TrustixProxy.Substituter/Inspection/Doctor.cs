using System.Collections.Concurrent;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Decisions;

namespace TrustixProxy.Substituter.Inspection;

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

    /// <summary>Checks paths and all that they need: by the references that would be served, else by those installed, else by those of
    /// the only proven claim.</summary>
    /// <param name="roots">The paths to start from.</param>
    /// <param name="installed">What of their closures is installed, by path.</param>
    /// <param name="onExplained">Called with the number of paths checked and of paths known so far.</param>
    /// <exception cref="FormatException">The closures have too many paths.</exception>
    public async Task<IReadOnlyList<Finding>> ExplainClosuresAsync(
        IReadOnlyList<StorePath> roots, IReadOnlyDictionary<StorePath, Patient> installed, Action<int, int> onExplained,
        CancellationToken cancellation)
    {
        async Task<Finding> FindAsync(StorePath path, CancellationToken token)
        {
            var (patient, alone) = (installed.GetValueOrDefault(path) ?? new Patient(path, null, []), new Needs(0, []));
            var first = Find(patient, await explainer.ExplainAsync(path.Digest, path, isHasty: true).WaitAsync(token), alone);
            return first is not { IsServed: false, IsUncertain: true } ? first
                : Find(patient, await explainer.ExplainAsync(path.Digest, path, isHasty: true).WaitAsync(token), alone);
        }

        var walk = new ClosureWalk<Finding>(FindAsync, finding => finding.References, _ => false);
        var findings = new List<Finding>();
        await foreach (var part in walk.RunAsync(roots, cancellation))
        {
            findings.AddRange(part.Select(item => item.Found));
            onExplained(findings.Count, walk.Seen.Count);
        }

        if (walk.IsTooLarge)
        {
            throw new FormatException($"PATH: the closures have more than {ClosureWalk<Finding>.MaxPaths:N0} paths. Name fewer roots.");
        }

        var needs = FindNeeds([.. findings.Select(finding => new Patient(finding.Path, finding.Installed, finding.References))]);
        return [.. findings.Select(finding => finding with
        {
            NeededBy = needs[finding.Path].Paths,
            HoldsBack = finding.IsServed ? [] : needs[finding.Path].Roots,
            RootsHeldBack = finding.IsServed ? 0 : needs[finding.Path].AllRoots,
        })];
    }

    private Finding Find(Patient patient, Explanation decided, Needs needs)
    {
        var explanation = decided.Claim is { } other && other.Path != patient.Path
            ? decided with { Outcome = Outcome.Conflict, Sentence = $"the decision for its digest is {other.Path}", Claim = null }
            : decided;
        var votes = (explanation.Verdict?.Answers ?? []).Where(answer => answer.Ballot is Ballot.Claimed).ToList();
        var claims = votes.Select(answer => ((Ballot.Claimed)answer.Ballot).Claim).Distinct().ToList();
        var against = votes.Select(answer => (answer.Elector.Name, Hash: ((Ballot.Claimed)answer.Ballot).Claim.NarHash))
            .Where(vote => patient.Installed is not null && vote.Hash != patient.Installed);
        var accepted = explanation.Outcome is Outcome.Agreed or Outcome.Excepted or Outcome.ContentAddressed ? explanation.Claim : null;
        var completing = explanation.Outcome is Outcome.Undecided ? Completing(patient.Path, explanation.Verdict!) : [];
        return new Finding(
            patient.Path, explanation.Outcome, explanation.Sentence, explanation.Claim is not null,
            explanation.Outcome is not Outcome.Revoked && (explanation.WasCutShort || explanation.Verdict is null), patient.Installed,
            against.ToDictionary(vote => vote.Name, vote => vote.Hash), needs.Paths, completing)
        {
            HoldsBack = explanation.Claim is null ? needs.Roots : [],
            Verdict = explanation.Verdict,
            Accepted = accepted?.NarHash,
            References = explanation.Claim is { } served ? served.References
                : patient.Installed is not null ? patient.References
                : claims is [var only] ? only.References : [],
            RootsHeldBack = explanation.Claim is null ? needs.AllRoots : 0,
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

        var roots = seen.Where(path => path != start && referrers[path].Count is 0).ToList();
        return new Needs(seen.Count - 1, [.. roots.Take(Needs.MaxRoots)]) { AllRoots = roots.Count };
    }

    /// <summary>Dependants of a path.</summary>
    /// <param name="Paths">Number of paths.</param>
    /// <param name="Roots">Those that no other path refers to; at most <see cref="MaxRoots"/>.</param>
    private sealed record Needs(int Paths, IReadOnlyList<StorePath> Roots)
    {
        public const int MaxRoots = 10;

        /// <summary>Number of all such roots.</summary>
        public int AllRoots { get; init; }
    }
}
