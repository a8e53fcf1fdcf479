using System.Collections.Concurrent;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Values that logs may hold of a path, rebuilt from what upstreams say of it: a log's proven digest shows which one it holds, and
/// the log need not be asked for it.</summary>
/// <remarks>Nothing here is believed: a value is one only if the digest that a log has proven is its own, as for the bytes that the log
/// would send.</remarks>
internal sealed class CandidateValues
{
    private readonly ConcurrentQueue<Lazy<(Digest Digest, byte[] Value)[]>> _offered = new();
    private readonly TaskCompletionSource _complete = new(); // who waits goes on at once, so that all ballots are cast before the verdict

    /// <summary>Takes in what an upstream says.</summary>
    public void Offer(NarInfo narInfo) =>
        _offered.Enqueue(new(() => [.. StatementText.AllSpellings(narInfo.StorePath, narInfo.NarHash, narInfo.NarSize, narInfo.References)
        .Select(value => (Digest.Of(value), value))]));

    /// <summary>No more is to be expected soon: each upstream has said what it has, or failed.</summary>
    public void Close() => _complete.TrySetResult();

    /// <summary>The value that has this digest; null when none that was offered has.</summary>
    public ReadOnlyMemory<byte>? Find(Digest digest)
    {
        foreach (var spellings in _offered)
        {
            foreach (var (of, value) in spellings.Value)
            {
                if (of == digest)
                {
                    return value;
                }
            }
        }

        return null;
    }

    /// <summary>The same, with patience: waits until each upstream has been heard.</summary>
    public async Task<ReadOnlyMemory<byte>?> WaitForAsync(Digest digest, CancellationToken cancellation)
    {
        if (Find(digest) is { } value)
        {
            return value;
        }

        await _complete.Task.WaitAsync(cancellation);
        return Find(digest);
    }
}
