using System.Collections.Concurrent;
using System.Collections.Immutable;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>What upstreams and electors say that builds produced. Upstreams' answers give values, of which a log's proven digest selects
/// one, which saves a call to the log. A rebuilder's signature selects a candidate by its size and references.</summary>
/// <remarks>Candidates are untrusted: a value counts only if its digest equals the one the log has proven, as for bytes sent by the log; a
/// size with its references only if the rebuilder has signed them.</remarks>
internal sealed class CandidateValues
{
    private readonly ConcurrentQueue<Candidate> _offered = new();
    private readonly ConcurrentQueue<Lazy<(Digest Digest, byte[] Value)[]>> _values = new();
    private readonly TaskCompletionSource _complete = new(); // waiters run first: all ballots before the verdict

    /// <summary>Whether each upstream has answered or failed.</summary>
    public bool AreUpstreamsComplete => _complete.Task.IsCompleted;

    /// <summary>Number of candidates.</summary>
    public int Count => _offered.Count;

    /// <summary>Adds an upstream's answer.</summary>
    public void Offer(NarInfo narInfo)
    {
        _values.Enqueue(new(() => [.. StatementText.AllSpellings(narInfo.StorePath, narInfo.NarHash, narInfo.NarSize, narInfo.References)
            .Select(value => (Digest.Of(value), value))]));
        _offered.Enqueue(new Candidate(narInfo.StorePath, narInfo.NarHash, narInfo.NarSize, narInfo.References));
    }

    /// <summary>Adds an elector's claim.</summary>
    public void Offer(OutputClaim claim) =>
        _offered.Enqueue(new Candidate(claim.Path, claim.NarHash, claim.NarSize, claim.References));

    /// <summary>Marks the upstreams' candidates complete: each upstream has answered or failed.</summary>
    public void Close() => _complete.TrySetResult();

    /// <summary>The texts that Nix would sign for what was offered, each once.</summary>
    public IEnumerable<string> Fingerprints => _offered.Select(candidate => candidate.Fingerprint).Distinct();

    /// <summary>Returns what was offered for a path, each once.</summary>
    public IEnumerable<Candidate> Of(StorePath path) =>
        _offered.Where(candidate => candidate.Path == path).DistinctBy(candidate => candidate.Fingerprint);

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

/// <summary>What somebody says that a build produced.</summary>
/// <param name="Path">The store path.</param>
/// <param name="NarHash">SHA-256 of the uncompressed NAR.</param>
/// <param name="NarSize">Length of the uncompressed NAR in bytes.</param>
/// <param name="References">The referenced paths.</param>
internal sealed record Candidate(StorePath Path, NixHash NarHash, long NarSize, ImmutableArray<StorePath> References)
{
    /// <summary>The text that Nix would sign.</summary>
    public string Fingerprint => Nix.Fingerprint.Format(Path, NarHash, NarSize, References);
}
