using Google.Protobuf;
using TrustixProxy.LogNode.Sequencing;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Api;

/// <summary>The calls open to everyone: heads, proofs, entries, map values and values.</summary>
internal sealed class ReadCalls(IReadOnlyDictionary<string, HostedLog> logs)
{
    /// <summary>Maximum number of entries per call.</summary>
    public const int MaxEntries = 1000;

    public void Map(ConnectEndpoint endpoint)
    {
        foreach (var service in new[] { "trustix_api.v1.LogAPI/", "trustix_rpc.v1.LogRPC/" })
        {
            endpoint.Map(service + "GetHead", LogHeadRequest.Parser, request =>
                logs.On(request.LogID, log => ConnectAnswer.Of(log.Sequencer.Head.Message)));
            endpoint.Map(service + "GetLogEntries", GetLogEntriesRequest.Parser, request =>
                logs.On(request.LogID, log => GetEntries(log, request)), isLong: true, CostOfRange);
        }

        const string api = "trustix_api.v1.LogAPI/";
        endpoint.Map(api + "GetLogConsistencyProof", GetLogConsistencyProofRequest.Parser, request =>
            logs.On(request.LogID, log => GetConsistencyProof(log, Tree.Log, request)));
        endpoint.Map(api + "GetMHLogConsistencyProof", GetLogConsistencyProofRequest.Parser, request =>
            logs.On(request.LogID, log => GetConsistencyProof(log, Tree.MapHeads, request)));
        endpoint.Map(api + "GetLogAuditProof", GetLogAuditProofRequest.Parser, request =>
            logs.On(request.LogID, log => GetInclusionProof(log, Tree.Log, request)));
        endpoint.Map(api + "GetMHLogAuditProof", GetLogAuditProofRequest.Parser, request =>
            logs.On(request.LogID, log => GetInclusionProof(log, Tree.MapHeads, request)));
        endpoint.Map(api + "GetMHLogEntries", GetLogEntriesRequest.Parser, request =>
            logs.On(request.LogID, log => GetMapHeads(log, request)), isLong: true, CostOfRange);
        endpoint.Map(api + "GetMapValue", GetMapValueRequest.Parser, request => logs.On(request.LogID, log => GetMapValue(log, request)));
        foreach (var service in new[] { "trustix_api.v1.NodeAPI/", "trustix_rpc.v1.RPCApi/" })
        {
            endpoint.Map(service + "Logs", LogsRequest.Parser, GetLogs);
            endpoint.Map(service + "GetValue", ValueRequest.Parser, GetValue);
        }

        endpoint.Map("trustix_rpc.v1.RPCApi/Decide", DecideRequest.Parser, _ =>
            ConnectAnswer.Fail(ConnectCode.Unimplemented, "a log cannot decide: ask trustix-proxy serve"));
    }

    private ConnectAnswer GetLogs(LogsRequest request)
    {
        var answer = new LogsResponse();
        answer.Logs.AddRange(logs.Values.Select(log => log.Describe())
            .Where(log => request.Protocols.Count is 0 || request.Protocols.Contains(log.Protocol)));
        return ConnectAnswer.Of(answer);
    }

    private ConnectAnswer GetValue(ValueRequest request)
    {
        var value = Digest.TryRead(request.Digest.Span, out var digest)
            ? logs.Values.Select(log => log.Database.Read(reader => reader.FindValue(digest, log.Sequencer.Head.Size)))
                .FirstOrDefault(found => found is not null)
            : null;
        return value is null
            ? ConnectAnswer.Fail(ConnectCode.NotFound, $"no value has the digest {Convert.ToHexStringLower(request.Digest.Span)}")
            : ConnectAnswer.Of(new ValueResponse { Value = UnsafeByteOperations.UnsafeWrap(value) });
    }

    /// <remarks>Like the reference, answers with an empty proof if the first size is 0, or not below the second.</remarks>
    private static ConnectAnswer GetConsistencyProof(HostedLog log, Tree tree, GetLogConsistencyProofRequest request)
    {
        if (request.FirstSize is 0 || request.FirstSize >= request.SecondSize)
        {
            return ConnectAnswer.Of(new ProofResponse());
        }

        return request.SecondSize > (ulong)SizeOf(log.Sequencer.Head, tree)
            ? ConnectAnswer.Fail(
                ConnectCode.InvalidArgument, $"SecondSize is {request.SecondSize}; the log has {SizeOf(log.Sequencer.Head, tree)}")
            : Proof(log.Database.Read(
                reader => MerkleTree.ConsistencyProof((long)request.FirstSize, (long)request.SecondSize, TileNodes.Of(reader, tree))));
    }

    private static ConnectAnswer GetInclusionProof(HostedLog log, Tree tree, GetLogAuditProofRequest request)
    {
        var size = SizeOf(log.Sequencer.Head, tree);
        return request.TreeSize > (ulong)size
            ? ConnectAnswer.Fail(ConnectCode.InvalidArgument, $"TreeSize is {request.TreeSize}; the log has {size}")
            : request.Index >= request.TreeSize ? ConnectAnswer.Fail(
                ConnectCode.InvalidArgument, $"Index is {request.Index}; it must be less than TreeSize, {request.TreeSize}")
            : Proof(log.Database.Read(
                reader => MerkleTree.InclusionProof((long)request.Index, (long)request.TreeSize, TileNodes.Of(reader, tree))));
    }

    private static ConnectAnswer GetEntries(HostedLog log, GetLogEntriesRequest request)
    {
        if (CheckRange(request, log.Sequencer.Head.Size) is { } refusal)
        {
            return refusal;
        }

        var answer = new LogEntriesResponse();
        foreach (var entry in log.Database.Read(reader => reader.FindEntries((long)request.Start, (long)request.Finish)))
        {
            answer.Leaves.Add(new LogLeaf
            {
                Key = UnsafeByteOperations.UnsafeWrap(entry.Key),
                ValueDigest = WireMessage.ToBytes(entry.ValueDigest),
                LeafDigest = WireMessage.ToBytes(MerkleHash.LogLeaf(entry.Key, entry.ValueDigest)),
            });
        }

        return ConnectAnswer.Of(answer);
    }

    private static ConnectAnswer GetMapHeads(HostedLog log, GetLogEntriesRequest request)
    {
        if (CheckRange(request, log.Sequencer.Head.MapHeadSize) is { } refusal)
        {
            return refusal;
        }

        var answer = new LogEntriesResponse();
        log.Database.Read(reader =>
        {
            var read = TileNodes.Of(reader, Tree.MapHeads);
            for (var index = (long)request.Start; index <= (long)request.Finish; index++)
            {
                answer.Leaves.Add(new LogLeaf { LeafDigest = WireMessage.ToBytes(read(0, index)) });
            }

            return answer;
        });
        return ConnectAnswer.Of(answer);
    }

    /// <summary>Returns the cost of a range; a refused one costs one call.</summary>
    private static int CostOfRange(GetLogEntriesRequest request) =>
        request.Finish >= request.Start && request.Finish - request.Start < MaxEntries
            ? 1 + ((int)(request.Finish - request.Start) / RequestRate.EntriesPerToken) : 1;

    /// <summary>Returns why a range is refused: outside the log, or too long. An empty range just past the end is allowed.</summary>
    private static ConnectAnswer? CheckRange(GetLogEntriesRequest request, long size)
    {
        var isEmpty = request.Start > 0 && request.Start - 1 == request.Finish;
        return !isEmpty && request.Start > request.Finish
            ? ConnectAnswer.Fail(ConnectCode.InvalidArgument, $"Start is {request.Start}; it must not be past Finish, {request.Finish}")
            : !isEmpty && request.Finish >= (ulong)size
                ? ConnectAnswer.Fail(ConnectCode.InvalidArgument, $"Finish is {request.Finish}; it is included, and the log has {size}")
            : !isEmpty && request.Finish - request.Start >= MaxEntries ? ConnectAnswer.Fail(
                ConnectCode.InvalidArgument, $"Start to Finish are more than {MaxEntries} entries: ask for fewer at once")
            : isEmpty ? ConnectAnswer.Of(new LogEntriesResponse())
            : null;
    }

    /// <remarks>Answers an absent key with a proof of absence and an empty value.</remarks>
    private static ConnectAnswer GetMapValue(HostedLog log, GetMapValueRequest request)
    {
        if (!Digest.TryRead(request.MapRoot.Span, out var root) || request.Key.Length > WireMessage.MaxKey)
        {
            return ConnectAnswer.Fail(ConnectCode.InvalidArgument, $"MapRoot has {request.MapRoot.Length} bytes and Key "
                + $"{request.Key.Length}; it must be 32, and at most {WireMessage.MaxKey}");
        }

        return log.Database.Read(reader =>
        {
            if (reader.FindMap(root) is not { } map)
            {
                return ConnectAnswer.Fail(ConnectCode.NotFound, $"no head with the map root {root} is kept: fetch the newest head");
            }

            var proof = map.Prove(Digest.Of(request.Key.Span), out var leaf);
            var entry = leaf is { } found ? new MapEntry(reader.FindEntry(found.Index)!.ValueDigest, found.Index).ToBytes() : [];
            return ConnectAnswer.Of(new MapValueResponse { Value = UnsafeByteOperations.UnsafeWrap(entry), Proof = proof.ToMessage() });
        });
    }

    private static long SizeOf(PublishedHead head, Tree tree) => tree is Tree.Log ? head.Size : head.MapHeadSize;

    private static ConnectAnswer Proof(Digest[] nodes)
    {
        var answer = new ProofResponse();
        answer.Proof.AddRange(nodes.Select(WireMessage.ToBytes));
        return ConnectAnswer.Of(answer);
    }
}
