using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Returns the decision on a path and, if the policy requires it, on its whole closure.</summary>
/// <param name="decider">Decides on a single path.</param>
/// <param name="cache">Renders decisions.</param>
/// <param name="policy">Determines whether closures are required, and the fallback of report mode.</param>
/// <param name="deadline">Maximum time per request for its closure.</param>
internal sealed class ClosureGate(Decider decider, DecisionCache cache, Policy policy, TimeSpan deadline, TimeProvider time, ILogger logger)
    : IDisposable
{
    /// <summary>Maximum paths of a closure that are checked; a NixOS system has some thousands.</summary>
    private const int MaxPaths = 100_000;

    private const int AtOnce = 16;

    /// <summary>Lifetime of a positive closure check, shortened by the expiry of any decision in it. Changes to a reference in between show
    /// when that reference is requested.</summary>
    private static readonly TimeSpan WholeLifetime = TimeSpan.FromSeconds(10);

    private readonly RefusalReports _reports = new(logger, time);
    private readonly MemoryCache _whole = new(new MemoryCacheOptions { SizeLimit = MaxPaths });

    /// <summary>Returns the decision on a digest and, if required, on its closure. Waits at most one deadline for each.</summary>
    public ValueTask<Decision> DecideAsync(StorePathDigest digest, CancellationToken cancellation) =>
        policy.RequiresClosure ? DecideClosureAsync(digest, cancellation) : decider.DecideAsync(digest, cancellation);

    /// <summary>Returns the decision if it is valid in memory, else null. Allocation-free.</summary>
    public Decision? FindWarm(ReadOnlySpan<char> digest) =>
        decider.FindWarm(digest) is { } known && (!policy.RequiresClosure || known.Record.Claim is not { } claim || IsWhole(claim.Path))
            ? known : null;

    private async ValueTask<Decision> DecideClosureAsync(StorePathDigest digest, CancellationToken cancellation)
    {
        var decision = await decider.DecideAsync(digest, cancellation);
        if (decision.Record.Claim is not { } claim || IsWhole(claim.Path) || await RefuseAsync(claim, cancellation) is not { } refusal)
        {
            return decision;
        }

        var sentence = $"{claim.Path}: {refusal.Sentence}";
        _reports.Refused(digest.ToString(), refusal.Outcome, sentence);
        return SignatureOfFallback(decision.Record) is { } signature
            ? cache.Render(DecisionRecord.OfFallback(claim, decision.Record.Hints! with { Signatures = [signature] },
                $"{refusal.Outcome.Word()}: {sentence}", time.GetUtcNow()), refusal.WasCutShort)
            : cache.Render(DecisionRecord.Refusal(refusal.Outcome, sentence, time.GetUtcNow()), refusal.WasCutShort);
    }

    /// <summary>Whether a recent check found the path's closure complete.</summary>
    private bool IsWhole(StorePath path) => WholeUntil(path) is not null;

    /// <summary>In report mode, returns the fallback's own signature of the served claim; null if there is none.</summary>
    private NixSignature? SignatureOfFallback(DecisionRecord record) =>
        policy.Fallback is not { } fallback ? null
        : record.IsOfFallback ? record.Hints!.Signatures[0]
        : record.Ballots.Votes.FirstOrDefault(vote => vote.Elector == fallback && vote.Claim == record.Claim) is { Signature: { } text }
            && NixSignature.TryParse(text, out var signature) ? signature : null;

    public void Dispose() => _whole.Dispose();

    /// <summary>Returns why a path's closure is incomplete; null if it is complete.</summary>
    private async Task<Refusal?> RefuseAsync(OutputClaim claim, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(deadline, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            return await WalkAsync(claim, either.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return new Refusal(Outcome.Undecided, "the closure could not be decided in time", WasCutShort: true);
        }
    }

    /// <summary>Checks the closure breadth-first, each path once, including self-references.</summary>
    private async Task<Refusal?> WalkAsync(OutputClaim start, CancellationToken cancellation)
    {
        var seen = new HashSet<StorePath> { start.Path };
        var until = time.GetUtcNow() + WholeLifetime;
        for (var level = Next([start], seen, ref until); level.Count > 0;)
        {
            if (seen.Count > MaxPaths)
            {
                return new Refusal(Outcome.Undecided, $"the closure has more than {MaxPaths} paths", WasCutShort: false);
            }

            var decided = new List<OutputClaim>();
            foreach (var part in level.Chunk(AtOnce))
            {
                var decisions = await Task.WhenAll(
                    part.Select(async path => (Path: path, Decision: await decider.DecideAsync(path.Digest, path, cancellation))));
                if (decisions.FirstOrDefault(item => item.Decision.Record.Claim is null) is { Path: { } path, Decision: var refused })
                {
                    return new Refusal(
                        refused.Record.Outcome,
                        $"the closure needs {path}, which is refused ({refused.Record.Outcome.Word()}): {refused.Record.Sentence}",
                        refused.WasCutShort);
                }

                if (decisions.FirstOrDefault(
                    item => item.Decision.Record.Claim!.Path != item.Path) is { Path: { } needed, Decision.Record.Claim: { } other })
                {
                    return new Refusal(
                        Outcome.Conflict, $"the closure needs {needed}, but the decision for its digest is {other.Path}",
                        WasCutShort: false);
                }

                decided.AddRange(decisions.Select(item => item.Decision.Record.Claim!));
                until = decisions.Select(item => item.Decision.Record.ExpiresAt).Append(until).Min();
            }

            level = Next(decided, seen, ref until);
        }

        foreach (var path in seen)
        {
            _whole.Set(path, until, new MemoryCacheEntryOptions { Size = 1, AbsoluteExpirationRelativeToNow = WholeLifetime });
        }

        return null;
    }

    /// <summary>Returns unchecked references of the claims. References with a recent positive check are skipped; their expiry then bounds
    /// this closure's.</summary>
    private List<StorePath> Next(IEnumerable<OutputClaim> claims, HashSet<StorePath> seen, ref DateTimeOffset until)
    {
        var next = new List<StorePath>();
        foreach (var path in claims.SelectMany(claim => claim.References).Where(seen.Add))
        {
            if (WholeUntil(path) is { } known)
            {
                until = known < until ? known : until;
            }
            else
            {
                next.Add(path);
            }
        }

        return next;
    }

    /// <summary>Returns the expiry of a positive closure check; null if a check is needed.</summary>
    private DateTimeOffset? WholeUntil(StorePath path) =>
        _whole.TryGetValue(path, out DateTimeOffset until) && time.GetUtcNow() < until ? until : null;

    /// <summary>Reason for an incomplete closure.</summary>
    /// <param name="Outcome">Why nothing is served.</param>
    /// <param name="Sentence">The reason in one line.</param>
    /// <param name="WasCutShort">Whether an elector that missed the deadline could have changed it.</param>
    internal sealed record Refusal(Outcome Outcome, string Sentence, bool WasCutShort);
}
