using Google.Protobuf;
using TrustixProxy.Consensus;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Logs.Client;

/// <summary>Makes a client's calls to one log, each with a bounded answer. Answers are not verified here.</summary>
/// <param name="connect">Carries the calls.</param>
/// <param name="isExported">Whether static files answer: they find values by entry number.</param>
/// <param name="showsMapRoots">Whether heads must show that their map root is the last leaf of the map-head log.</param>
public sealed class LogClient(
    ConnectClient connect, string logId, TimeProvider time, bool isExported = false, bool showsMapRoots = true)
{
    private const string LogApi = "trustix_api.v1.LogAPI/", NodeApi = "trustix_api.v1.NodeAPI/", LookupApi = "trustix_proxy.v1.LookupAPI/";

    /// <summary>Maximum size of a lookup of one key: the separate answers together. A lookup of several keys may be as large as any log's
    /// answer, values included.</summary>
    private const int MaxLookup = WireMessage.MaxHead + (4 * WireMessage.MaxProof) + WireMessage.MaxMapValue + WireMessage.MaxKey
        + WireMessage.MaxValue + (2 * SignedNote.MaxSize) + 1024, MaxTogether = 8 << 20;

    /// <summary>How long a log without the lookup call is not asked for it again.</summary>
    private static readonly TimeSpan WithoutLookup = TimeSpan.FromMinutes(10);

    /// <summary>How long a log without inclusion proofs is not asked for one again: at first, and at most.</summary>
    private static readonly TimeSpan FirstWithoutInclusionProofs = TimeSpan.FromSeconds(2),
        WithoutInclusionProofs = TimeSpan.FromMinutes(1);

    private long _lacksLookupSince = long.MinValue, _lacksInclusionProofsSince = long.MinValue, _lacksFor;
    private volatile bool _hasGivenInclusionProof;

    public Task<CallResult<LogHead>> GetHeadAsync(CancellationToken cancellation) =>
        connect.CallAsync(
            LogApi + "GetHead", new LogHeadRequest { LogID = logId }, LogHead.Parser, WireMessage.MaxHead, counts: true, cancellation);

    public Task<CallResult<ProofResponse>> GetConsistencyProofAsync(long older, long newer, CancellationToken cancellation) =>
        ConsistencyAsync("GetLogConsistencyProof", older, newer, cancellation);

    public Task<CallResult<ProofResponse>> GetMapHeadConsistencyProofAsync(long older, long newer, CancellationToken cancellation) =>
        ConsistencyAsync("GetMHLogConsistencyProof", older, newer, cancellation);

    /// <param name="size">Size of the tree.</param>
    /// <param name="counts">Whether a failure counts against the log's other calls; reference daemons fail this one.</param>
    /// <param name="index">Index of the leaf.</param>
    public async Task<CallResult<ProofResponse>> GetInclusionProofAsync(long index, long size, bool counts, CancellationToken cancellation)
    {
        var request = new GetLogAuditProofRequest { LogID = logId, Index = (ulong)index, TreeSize = (ulong)size };
        var isCounted = counts && _hasGivenInclusionProof;
        var call = await connect.CallAsync(
            LogApi + "GetLogAuditProof", request, ProofResponse.Parser, WireMessage.MaxProof, isCounted, cancellation);
        NoteInclusionProof(call);
        return call;
    }

    /// <summary>Whether heads must show that their map root is the last leaf of the map-head log. False where logs without inclusion
    /// proofs are accepted, and for mirrors, which compute the map themselves.</summary>
    public bool ShowsMapRoots => showsMapRoots;

    /// <summary>Fetches the proof that the last leaf, a head's map root, is in the map-head log.</summary>
    /// <param name="size">Size of the map-head log.</param>
    public async Task<CallResult<ProofResponse>> GetMapRootProofAsync(long size, CancellationToken cancellation)
    {
        var request = new GetLogAuditProofRequest { LogID = logId, Index = (ulong)(size - 1), TreeSize = (ulong)size };
        var call = await connect.CallAsync(
            LogApi + "GetMHLogAuditProof", request, ProofResponse.Parser, WireMessage.MaxProof, counts: false, cancellation);
        NoteInclusionProof(call);
        return call;
    }

    /// <summary>Whether the log recently failed to give inclusion proofs.</summary>
    public bool LacksInclusionProofs =>
        Interlocked.Read(ref _lacksInclusionProofsSince) is var since && since is not long.MinValue
        && time.GetElapsedTime(since) < TimeSpan.FromTicks(Interlocked.Read(ref _lacksFor));

    /// <summary>Records that the log gives inclusion proofs, if it gave this one.</summary>
    private void NoteInclusionProof(CallResult<ProofResponse> call)
    {
        if (call.Message is not null)
        {
            _hasGivenInclusionProof = true;
            Interlocked.Exchange(ref _lacksInclusionProofsSince, long.MinValue);
        }
    }

    /// <summary>Records that an inclusion proof failed while other calls succeed. Returns whether the log gives none; a log that ever gave
    /// one has them.</summary>
    public bool NoteFailedInclusionProof(CallResult<ProofResponse> call)
    {
        var isLacking = !_hasGivenInclusionProof
            && (call is { Error: null, Failure: SilenceReason.Unreachable }
                || call.Error?.StartsWith("unimplemented:", StringComparison.Ordinal) is true);
        if (isLacking)
        {
            // The first failure may be the network's, so the log is soon asked again.
            var before = Interlocked.Read(ref _lacksFor);
            Interlocked.Exchange(ref _lacksFor, Math.Clamp(before * 2, FirstWithoutInclusionProofs.Ticks, WithoutInclusionProofs.Ticks));
            Interlocked.Exchange(ref _lacksInclusionProofsSince, time.GetTimestamp());
        }

        return isLacking;
    }

    /// <summary>Fetches entries: <paramref name="count"/> of them, or fewer if the log limits a batch.</summary>
    public Task<CallResult<LogEntriesResponse>> GetEntriesAsync(long start, int count, CancellationToken cancellation)
    {
        var request = new GetLogEntriesRequest { LogID = logId, Start = (ulong)start, Finish = (ulong)(start + count - 1) };
        return connect.CallAsync(LogApi + "GetLogEntries", request, LogEntriesResponse.Parser,
            Math.Min(count * (WireMessage.MaxKey + 256), MaxTogether), counts: false, cancellation);
    }

    public Task<CallResult<MapValueResponse>> GetMapValueAsync(ReadOnlySpan<byte> key, Digest mapRoot, CancellationToken cancellation)
    {
        var request = new GetMapValueRequest { LogID = logId, Key = ByteString.CopyFrom(key), MapRoot = WireMessage.ToBytes(mapRoot) };
        return connect.CallAsync(
            LogApi + "GetMapValue", request, MapValueResponse.Parser, WireMessage.MaxMapValue, counts: true, cancellation);
    }

    /// <summary>Fetches the value of one entry of a mirrored log.</summary>
    public Task<CallResult<ValueResponse>> GetValueAsync(MapEntry entry, CancellationToken cancellation) => isExported
        ? connect.CallAsync(ExportedLog.ValueCall, new GetLogEntriesRequest
        {
            LogID = logId,
            Start = (ulong)entry.Index,
            Finish = (ulong)entry.Index
        }, ValueResponse.Parser, WireMessage.MaxValue + 16, counts: true, cancellation)
        : GetValueAsync(entry.ValueDigest, cancellation);

    public Task<CallResult<ValueResponse>> GetValueAsync(Digest digest, CancellationToken cancellation) =>
        connect.CallAsync(NodeApi + "GetValue", new ValueRequest { Digest = WireMessage.ToBytes(digest) }, ValueResponse.Parser,
            WireMessage.MaxValue + 16, counts: true, cancellation);

    /// <summary>Whether the log recently lacked the lookup call.</summary>
    public bool LacksLookup =>
        Interlocked.Read(ref _lacksLookupSince) is var since && since is not long.MinValue && time.GetElapsedTime(since) < WithoutLookup;

    /// <summary>Looks up several keys in one call. Returns null when the log lacks the call or it failed: the separate calls report
    /// why.</summary>
    /// <param name="known">The head from which consistency proofs start.</param>
    /// <param name="pathDigests">Digests of store paths.</param>
    /// <param name="keys">Full keys.</param>
    public async Task<LookupResponse?> LookupAsync(
        TreeHead known, IReadOnlyList<string> pathDigests, IReadOnlyList<byte[]> keys, CancellationToken cancellation)
    {
        var request = new LookupRequest { LogID = logId, TreeSize = (ulong)known.TreeSize, MHTreeSize = (ulong)known.MapHeadSize };
        request.PathDigests.AddRange(pathDigests);
        request.Keys.AddRange(keys.Select(key => UnsafeByteOperations.UnsafeWrap(key)));
        var maxSize = keys.Count is 1 && pathDigests.Count is 0 ? MaxLookup : MaxTogether;
        var call = await connect.CallAsync(LookupApi + "Lookup", request, LookupResponse.Parser, maxSize, counts: true, cancellation);
        if (call is { Message: null, Failure: SilenceReason.BadAnswer })
        {
            Interlocked.Exchange(ref _lacksLookupSince, time.GetTimestamp());
        }

        return call.Message;
    }

    /// <summary>Fetches the checkpoints of the newest head with all cosignatures: by the lookup call without keys, or as files where
    /// the log lacks that.</summary>
    public async Task<(ReadOnlyMemory<byte> Log, ReadOnlyMemory<byte> MapHeads)> GetCheckpointsAsync(CancellationToken cancellation)
    {
        if (!LacksLookup && await LookupAsync(new TreeHead(default, 0, default, default, 0), [], [], cancellation) is { } answer
            && (answer.Checkpoint.Length > 0 || answer.MapHeadCheckpoint.Length > 0))
        {
            return (answer.Checkpoint.Memory, answer.MapHeadCheckpoint.Memory);
        }

        var log = connect.GetAsync("checkpoint", SignedNote.MaxSize, cancellation);
        var mapHeads = connect.GetAsync("mapheads/checkpoint", SignedNote.MaxSize, cancellation);
        return (await log ?? default, await mapHeads ?? default);
    }

    private Task<CallResult<ProofResponse>> ConsistencyAsync(string method, long older, long newer, CancellationToken cancellation)
    {
        var request = new GetLogConsistencyProofRequest { LogID = logId, FirstSize = (ulong)older, SecondSize = (ulong)newer };
        return connect.CallAsync(LogApi + method, request, ProofResponse.Parser, WireMessage.MaxProof, counts: true, cancellation);
    }
}
