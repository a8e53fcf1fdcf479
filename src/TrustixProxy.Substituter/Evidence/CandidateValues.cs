using System.Collections.Concurrent;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Values a log may hold for a path, rebuilt from upstream narinfos. A log's proven digest selects one, which saves a call to the
/// log.</summary>
/// <remarks>Candidates are untrusted: one counts only if its digest equals the one the log has proven, as for bytes sent by the
/// log.</remarks>
internal sealed class CandidateValues
{
    private readonly ConcurrentQueue<Lazy<(Digest Digest, byte[] Value)[]>> _offered = new();
    private readonly ConcurrentQueue<NarInfo> _narInfos = new();
    private readonly TaskCompletionSource _complete = new(); // waiters run first: all ballots before the verdict

    /// <summary>The texts that Nix would sign for what upstreams offer.</summary>
    public IEnumerable<string> Fingerprints => _narInfos.Select(narInfo => narInfo.Fingerprint);

    /// <summary>Adds an upstream's answer.</summary>
    public void Offer(NarInfo narInfo)
    {
        _narInfos.Enqueue(narInfo);
        _offered.Enqueue(new(() =>
        [
            .. StatementText.AllSpellings(narInfo.StorePath, narInfo.NarHash, narInfo.NarSize, narInfo.References)
                .Select(value => (Digest.Of(value), value)),
        ]));
    }

    /// <summary>Marks the candidates complete: each upstream has answered or failed.</summary>
    public void Close() => _complete.TrySetResult();

    /// <summary>Waits until each upstream has answered.</summary>
    public Task WaitForAllAsync(CancellationToken cancellation) => _complete.Task.WaitAsync(cancellation);

    /// <summary>Finds the candidate with this digest; null if there is none.</summary>
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

    /// <summary>Finds the candidate with this digest, waiting until each upstream has answered.</summary>
    public async Task<ReadOnlyMemory<byte>?> WaitForAsync(Digest digest, CancellationToken cancellation)
    {
        if (Find(digest) is { } value)
        {
            return value;
        }

        await WaitForAllAsync(cancellation);
        return Find(digest);
    }
}
