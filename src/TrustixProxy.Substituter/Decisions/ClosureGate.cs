using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Wanted;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Returns the decision on a path and, if the policy requires it, on its whole closure.</summary>
/// <param name="decider">Decides on a single path.</param>
/// <param name="cache">Renders decisions.</param>
/// <param name="policy">Determines whether closures are required, and the fallback of report mode.</param>
/// <param name="deadline">Maximum time per request for its closure.</param>
internal sealed class ClosureGate(Decider decider, DecisionCache cache, Policy policy, TimeSpan deadline, TimeProvider time, ILogger logger)
    : IDisposable
{
    /// <summary>Lifetime of a positive closure check, shortened by the expiry of any decision in it. Changes to a reference in between show
    /// when that reference is requested.</summary>
    private static readonly TimeSpan WholeLifetime = TimeSpan.FromSeconds(10);

    private readonly RefusalReports _reports = new(logger, time);
    private readonly MemoryCache _whole = new(new MemoryCacheOptions { SizeLimit = ClosureWalk<Decision>.MaxPaths });

    /// <summary>Returns the decision on a digest and, if required, on its closure. Waits at most one deadline for each.</summary>
    public ValueTask<Decision> DecideAsync(StorePathDigest digest, CancellationToken cancellation) =>
        policy.RequiresClosure ? DecideClosureAsync(digest, cancellation) : decider.DecideAsync(digest, cancellation);

    /// <summary>Returns the decision if it is valid in memory, else null. Allocation-free.</summary>
    public Decision? FindWarm(ReadOnlySpan<char> digest) => decider.FindWarm(digest) is { } known && IsWhole(known) ? known : null;

    /// <summary>Whether <see cref="FindWarm"/> would find a decision.</summary>
    public bool IsWarm(ReadOnlySpan<char> digest) => decider.PeekWarm(digest) is { } known && IsWhole(known);

    private async ValueTask<Decision> DecideClosureAsync(StorePathDigest digest, CancellationToken cancellation)
    {
        var decision = await decider.DecideAsync(digest, cancellation);
        if (decision.Record.Claim is not { } claim || IsWhole(claim.Path) || await RefuseAsync(decision, cancellation) is not { } refusal)
        {
            return decision;
        }

        var sentence = $"{claim.Path}: {refusal.Sentence}";
        _reports.Refused(digest.ToString(), refusal.Outcome, sentence);
        var answer = SignatureOfFallback(decision.Record) is { } signature
            ? cache.Render(DecisionRecord.OfFallback(claim, decision.Record.Hints! with { Signatures = [signature] },
                $"{refusal.Outcome.Word()}: {sentence}", time.GetUtcNow()), refusal.WasCutShort)
            : cache.Render(DecisionRecord.Refusal(refusal.Outcome, sentence, time.GetUtcNow()), refusal.WasCutShort);
        answer.Wanted = refusal.Wanted;
        return answer;
    }

    private bool IsWhole(Decision known) => !policy.RequiresClosure || known.Record.Claim is not { } claim || IsWhole(claim.Path);

    /// <summary>Whether a recent check found the path's closure complete.</summary>
    private bool IsWhole(StorePath path) => WholeUntil(path) is not null;

    /// <summary>In report mode, returns the fallback's own signature of the served claim; null if there is none.</summary>
    private CacheSignature? SignatureOfFallback(DecisionRecord record) =>
        policy.Fallback is not { } fallback ? null
        : record.IsOfFallback ? record.Hints!.Signatures[0]
        : record.Ballots.Votes.FirstOrDefault(vote => vote.Elector == fallback && vote.Claim == record.Claim) is { Signature: { } text }
            && CacheSignature.TryParse(text, out var signature) ? signature : null;

    public void Dispose() => _whole.Dispose();

    /// <summary>Returns why a path's closure is incomplete; null if it is complete.</summary>
    private async Task<Refusal?> RefuseAsync(Decision decision, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(deadline, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            return await WalkAsync(decision, either.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return new Refusal(Outcome.Undecided, "the closure could not be decided in time", WasCutShort: true);
        }
    }

    /// <summary>Checks the closure, each path once. References with a recent positive check are passed over; their expiry then bounds
    /// this closure's.</summary>
    private async Task<Refusal?> WalkAsync(Decision start, CancellationToken cancellation)
    {
        var until = time.GetUtcNow() + WholeLifetime;
        var walk = new ClosureWalk<Decision>(
            async (path, token) => await decider.DecideAsync(path.Digest, path, token),
            decision => decision.Record.Claim!.References,
            path =>
            {
                var known = WholeUntil(path);
                until = known < until ? known.Value : until;
                return known is not null;
            });
        await foreach (var part in walk.RunBelowAsync(start.Record.Claim!.Path, start, cancellation))
        {
            if (Refuse(part) is { } refusal)
            {
                return refusal;
            }

            until = part.Select(item => item.Found.Record.ExpiresAt).Append(until).Min();
        }

        if (walk.IsTooLarge)
        {
            return new Refusal(
                Outcome.Undecided, $"the closure has more than {ClosureWalk<Decision>.MaxPaths} paths", WasCutShort: false);
        }

        foreach (var path in walk.Seen)
        {
            _whole.Set(path, until, new MemoryCacheEntryOptions { Size = 1, AbsoluteExpirationRelativeToNow = WholeLifetime });
        }

        return null;
    }

    /// <summary>Returns why these decisions leave the closure incomplete; null if they do not.</summary>
    private static Refusal? Refuse(IReadOnlyList<(StorePath Path, Decision Decision)> decisions)
    {
        if (decisions.FirstOrDefault(item => item.Decision.Record.Claim is null) is { Path: { } path, Decision: var refused })
        {
            return new Refusal(
                refused.Record.Outcome,
                $"the closure needs {path}, which is refused ({refused.Record.Outcome.Word()}): {refused.Record.Sentence}",
                refused.WasCutShort)
            {
                Wanted = refused.Wanted,
            };
        }

        var misnamed = decisions.FirstOrDefault(item => item.Decision.Record.Claim!.Path != item.Path);
        return misnamed is { Path: { } needed, Decision.Record.Claim: { } other }
            ? new Refusal(
                Outcome.Conflict, $"the closure needs {needed}, but the decision for its digest is {other.Path}", WasCutShort: false)
            : null;
    }

    /// <summary>Returns the expiry of a positive closure check; null if a check is needed.</summary>
    private DateTimeOffset? WholeUntil(StorePath path) =>
        _whole.TryGetValue(path, out DateTimeOffset until) && time.GetUtcNow() < until ? until : null;

    /// <summary>Reason for an incomplete closure.</summary>
    /// <param name="Outcome">Why nothing is served.</param>
    /// <param name="Sentence">The reason in one line.</param>
    /// <param name="WasCutShort">Whether an elector that missed the deadline could have changed it.</param>
    internal sealed record Refusal(Outcome Outcome, string Sentence, bool WasCutShort)
    {
        /// <summary>What the refused path of the closure lacks; null if nobody names it, or votes are not the reason.</summary>
        public WantedPath? Wanted { get; init; }
    }
}
