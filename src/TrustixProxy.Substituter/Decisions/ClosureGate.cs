using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Answers what is decided on a path and, where the policy says so, on all that it refers to.</summary>
/// <param name="decider">Decides on one path by itself.</param>
/// <param name="cache">Makes answers of decisions.</param>
/// <param name="policy">Whether a closure must be whole, and whose word is served in report mode.</param>
/// <param name="deadline">How long one request is held for its closure.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Logs refusals.</param>
internal sealed class ClosureGate(Decider decider, DecisionCache cache, Policy policy, TimeSpan deadline, TimeProvider time, ILogger logger)
    : IDisposable
{
    /// <summary>The most paths of a closure that are looked at; a NixOS system has some thousands.</summary>
    private const int MaxPaths = 100_000;

    private const int AtOnce = 16;

    /// <summary>How long a closure that was found whole is not gone through again, unless a decision in it ends sooner: what becomes of a
    /// reference meanwhile is noticed when it is itself asked for.</summary>
    private static readonly TimeSpan WholeLifetime = TimeSpan.FromSeconds(10);

    private readonly RefusalReports _reports = new(logger, time);
    private readonly MemoryCache _whole = new(new MemoryCacheOptions { SizeLimit = MaxPaths });

    /// <summary>The decision on a digest, where the policy says so on its closure. Waits at most for the deadline of each.</summary>
    public ValueTask<Decision> DecideAsync(StorePathDigest digest, CancellationToken cancellation) =>
        policy.RequiresClosure ? DecideClosureAsync(digest, cancellation) : decider.DecideAsync(digest, cancellation);

    /// <summary>The decision if it is in memory, and nobody has to be asked; else null. Makes no garbage.</summary>
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
                $"{refusal.Outcome}: {sentence}", time.GetUtcNow()), refusal.WasCutShort)
            : cache.Render(DecisionRecord.Refusal(refusal.Outcome, sentence, time.GetUtcNow()), refusal.WasCutShort);
    }

    /// <summary>Whether a path's closure was found whole a moment ago.</summary>
    private bool IsWhole(StorePath path) => WholeUntil(path) is not null;

    /// <summary>In report mode, the fallback's own signature of what would be served; null where it has signed no such thing.</summary>
    private NixSignature? SignatureOfFallback(DecisionRecord record) =>
        policy.Fallback is not { } fallback ? null
        : record.IsOfFallback ? record.Hints!.Signatures[0]
        : record.Ballots.Votes.FirstOrDefault(vote => vote.Elector == fallback && vote.Claim == record.Claim) is { Signature: { } text }
            && NixSignature.TryParse(text, out var signature) ? signature : null;

    public void Dispose() => _whole.Dispose();

    /// <summary>Why a path's closure is not whole; null when it is.</summary>
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
            return new Refusal("undecided", "the closure could not be decided in time", WasCutShort: true);
        }
    }

    /// <summary>Goes through the closure level by level; each path once, whatever refers to it, itself included.</summary>
    private async Task<Refusal?> WalkAsync(OutputClaim start, CancellationToken cancellation)
    {
        var seen = new HashSet<StorePath> { start.Path };
        var until = time.GetUtcNow() + WholeLifetime;
        for (var level = Next([start], seen, ref until); level.Count > 0;)
        {
            if (seen.Count > MaxPaths)
            {
                return new Refusal("undecided", $"the closure has more than {MaxPaths} paths", WasCutShort: false);
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
                        $"the closure needs {path}, which is refused ({refused.Record.Outcome}): {refused.Record.Sentence}",
                        refused.WasCutShort);
                }

                if (decisions.FirstOrDefault(
                    item => item.Decision.Record.Claim!.Path != item.Path) is { Path: { } needed, Decision.Record.Claim: { } other })
                {
                    return new Refusal(
                        "conflict", $"the closure needs {needed}, but the decision for its digest is {other.Path}", WasCutShort: false);
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

    /// <summary>What the claims refer to and was not looked at yet. What was found whole a moment ago is passed over, and then this closure
    /// is known no longer than that one.</summary>
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

    /// <summary>Until when a closure counts as whole that was found so; null when it has to be gone through.</summary>
    private DateTimeOffset? WholeUntil(StorePath path) =>
        _whole.TryGetValue(path, out DateTimeOffset until) && time.GetUtcNow() < until ? until : null;

    /// <summary>Why a closure is not whole.</summary>
    /// <param name="Outcome">The word that stands in <c>X-Trustix-Decision</c>.</param>
    /// <param name="Sentence">The reason in one line.</param>
    /// <param name="WasCutShort">Whether someone who failed to answer in time could have changed it.</param>
    internal sealed record Refusal(string Outcome, string Sentence, bool WasCutShort);
}
