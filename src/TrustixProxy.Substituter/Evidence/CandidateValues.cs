using System.Collections.Concurrent;
using System.Collections.Immutable;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>What upstreams and electors say that builds produced. Upstreams' answers give values, of which a log's proven digest selects
/// one, which saves a call to the log. All give shapes, of which a rebuilder's signature selects one.</summary>
/// <remarks>Candidates are untrusted: a value counts only if its digest equals the one the log has proven, as for bytes sent by the log; a
/// shape, if the rebuilder has signed it.</remarks>
internal sealed class CandidateValues
{
    private readonly ConcurrentDictionary<string, CandidateShape> _shapes = new();
    private readonly ConcurrentQueue<Lazy<(Digest Digest, byte[] Value)[]>> _values = new();
    private readonly TaskCompletionSource _complete = new(); // waiters run first: all ballots before the verdict

    /// <summary>Whether each upstream has answered or failed.</summary>
    public bool AreUpstreamsComplete => _complete.Task.IsCompleted;

    /// <summary>Number of different candidates.</summary>
    public int ShapeCount => _shapes.Count;

    /// <summary>Adds an upstream's answer.</summary>
    public void Offer(NarInfo narInfo)
    {
        _values.Enqueue(new(() => [.. StatementText.AllSpellings(narInfo.StorePath, narInfo.NarHash, narInfo.NarSize, narInfo.References)
            .Select(value => (Digest.Of(value), value))]));
        _shapes.TryAdd(narInfo.Fingerprint, new CandidateShape(narInfo.StorePath, narInfo.NarSize, narInfo.References));
    }

    /// <summary>Adds an elector's claim.</summary>
    public void Offer(OutputClaim claim) =>
        _shapes.TryAdd(claim.Fingerprint, new CandidateShape(claim.Path, claim.NarSize, claim.References));

    /// <summary>Marks the upstreams' candidates complete: each upstream has answered or failed.</summary>
    public void Close() => _complete.TrySetResult();

    /// <summary>The texts that Nix would sign for what was offered.</summary>
    public IEnumerable<string> Fingerprints => _shapes.Keys;

    /// <summary>Returns the shapes that were offered for a path.</summary>
    public IEnumerable<CandidateShape> ShapesOf(StorePath path) => _shapes.Values.Where(shape => shape.Path == path);

    /// <summary>Finds the value with this digest; null if there is none.</summary>
    public ReadOnlyMemory<byte>? Find(Digest digest)
    {
        foreach (var spellings in _values)
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

    /// <summary>Finds the value with this digest, waiting until each upstream has answered.</summary>
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

/// <summary>What a fingerprint holds beside the hash.</summary>
/// <param name="Path">The store path.</param>
/// <param name="NarSize">Length of the uncompressed NAR in bytes.</param>
/// <param name="References">The referenced paths.</param>
internal sealed record CandidateShape(StorePath Path, long NarSize, ImmutableArray<StorePath> References);
