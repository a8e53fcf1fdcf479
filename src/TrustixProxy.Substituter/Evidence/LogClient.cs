using Google.Protobuf;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>The calls that a client of a log makes, each with the bound of its answer. What comes back is not verified yet.</summary>
internal sealed class LogClient(ConnectClient connect, string logId)
{
    private const string LogApi = "trustix_api.v1.LogAPI/", NodeApi = "trustix_api.v1.NodeAPI/";

    public Task<CallResult<LogHead>> GetHeadAsync(CancellationToken cancellation) =>
        connect.CallAsync(LogApi + "GetHead", new LogHeadRequest { LogID = logId }, LogHead.Parser, WireMessage.MaxHead, counts: true, cancellation);

    public Task<CallResult<ProofResponse>> GetConsistencyProofAsync(long older, long newer, CancellationToken cancellation) =>
        ConsistencyAsync("GetLogConsistencyProof", older, newer, cancellation);

    public Task<CallResult<ProofResponse>> GetMapHeadConsistencyProofAsync(long older, long newer, CancellationToken cancellation) =>
        ConsistencyAsync("GetMHLogConsistencyProof", older, newer, cancellation);

    /// <param name="index">Which leaf.</param>
    /// <param name="size">Of how many.</param>
    /// <param name="counts">Whether a failure counts against the log's other calls; reference daemons fail this one.</param>
    /// <param name="cancellation">Ends the call.</param>
    public Task<CallResult<ProofResponse>> GetInclusionProofAsync(long index, long size, bool counts, CancellationToken cancellation)
    {
        var request = new GetLogAuditProofRequest { LogID = logId, Index = (ulong)index, TreeSize = (ulong)size };
        return connect.CallAsync(LogApi + "GetLogAuditProof", request, ProofResponse.Parser, WireMessage.MaxProof, counts, cancellation);
    }

    public Task<CallResult<MapValueResponse>> GetMapValueAsync(ReadOnlySpan<byte> key, Digest mapRoot, CancellationToken cancellation)
    {
        var request = new GetMapValueRequest { LogID = logId, Key = ByteString.CopyFrom(key), MapRoot = WireMessage.ToBytes(mapRoot) };
        return connect.CallAsync(LogApi + "GetMapValue", request, MapValueResponse.Parser, WireMessage.MaxMapValue, counts: true, cancellation);
    }

    public Task<CallResult<ValueResponse>> GetValueAsync(Digest digest, CancellationToken cancellation) =>
        connect.CallAsync(NodeApi + "GetValue", new ValueRequest { Digest = WireMessage.ToBytes(digest) }, ValueResponse.Parser, WireMessage.MaxValue + 16, counts: true, cancellation);

    private Task<CallResult<ProofResponse>> ConsistencyAsync(string method, long older, long newer, CancellationToken cancellation)
    {
        var request = new GetLogConsistencyProofRequest { LogID = logId, FirstSize = (ulong)older, SecondSize = (ulong)newer };
        return connect.CallAsync(LogApi + method, request, ProofResponse.Parser, WireMessage.MaxProof, counts: true, cancellation);
    }
}
