using System.Text;
using Microsoft.Extensions.Caching.Memory;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Lets a path through only when all that it refers to, near and far, may be served too.</summary>
/// <param name="decide">Decides on one path by itself.</param>
/// <param name="deadline">How long one request is held for its closure.</param>
/// <param name="time">The clock.</param>
internal sealed class ClosureGate(Func<StorePathDigest, CancellationToken, ValueTask<Decision>> decide, TimeSpan deadline, TimeProvider time) : IDisposable
{
    /// <summary>The most paths of a closure that are looked at; a NixOS system has some thousands.</summary>
    private const int MaxPaths = 100_000;

    private const int AtOnce = 16;

    /// <summary>How long a closure that was found whole is not gone through again: what becomes of a reference meanwhile is noticed when it is itself asked for.</summary>
    private static readonly TimeSpan WholeLifetime = TimeSpan.FromSeconds(10);

    private readonly MemoryCache _whole = new(new MemoryCacheOptions { SizeLimit = MaxPaths });

    /// <summary>The decision on a path and all that it refers to.</summary>
    public async ValueTask<Decision> DecideAsync(StorePathDigest digest, CancellationToken cancellation)
    {
        var decision = await decide(digest, cancellation);
        if (decision.Record.Claim is not { } claim || IsWhole(digest) || await RefuseAsync(claim, cancellation) is not { } refusal)
        {
            return decision;
        }

        var record = DecisionRecord.Refusal(refusal.Outcome, $"{claim.Path}: {refusal.Sentence}", time.GetUtcNow());
        return new Decision(record, Encoding.UTF8.GetBytes(record.Sentence + "\n"), refusal.WasCutShort);
    }

    /// <summary>Whether a path's closure was found whole a moment ago.</summary>
    public bool IsWhole(StorePathDigest digest) => _whole.TryGetValue(digest, out _);

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
        var seen = new HashSet<StorePathDigest> { start.Path.Digest };
        for (var level = Next([start], seen); level.Count > 0;)
        {
            if (seen.Count > MaxPaths)
            {
                return new Refusal("undecided", $"the closure has more than {MaxPaths} paths", WasCutShort: false);
            }

            var decided = new List<OutputClaim>();
            foreach (var part in level.Chunk(AtOnce))
            {
                var decisions = await Task.WhenAll(part.Select(async path => (Path: path, Decision: await decide(path.Digest, cancellation))));
                if (decisions.FirstOrDefault(item => item.Decision.Record.Claim is null) is { Path: { } path, Decision: var refused })
                {
                    return new Refusal(refused.Record.Outcome, $"the closure needs {path}, which is refused ({refused.Record.Outcome}): {refused.Record.Sentence}", refused.WasCutShort);
                }

                decided.AddRange(decisions.Select(item => item.Decision.Record.Claim!));
            }

            level = Next(decided, seen);
        }

        foreach (var digest in seen)
        {
            _whole.Set(digest, true, new MemoryCacheEntryOptions { Size = 1, AbsoluteExpirationRelativeToNow = WholeLifetime });
        }

        return null;
    }

    private List<StorePath> Next(IEnumerable<OutputClaim> claims, HashSet<StorePathDigest> seen) =>
        [.. claims.SelectMany(claim => claim.References).Where(path => !IsWhole(path.Digest) && seen.Add(path.Digest))];

    /// <summary>Why a closure is not whole.</summary>
    /// <param name="Outcome">The word that stands in <c>X-Trustix-Decision</c>.</param>
    /// <param name="Sentence">The reason in one line.</param>
    /// <param name="WasCutShort">Whether someone who failed to answer in time could have changed it.</param>
    internal sealed record Refusal(string Outcome, string Sentence, bool WasCutShort);
}
