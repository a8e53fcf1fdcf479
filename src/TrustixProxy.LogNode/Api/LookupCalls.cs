using Google.Protobuf;
using TrustixProxy.LogNode.Sequencing;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Api;

/// <summary>The calls that are our own (<c>Wire/lookup.proto</c>): everything a verdict needs in one round trip, and conflicts.</summary>
internal sealed class LookupCalls(IReadOnlyDictionary<string, HostedLog> logs)
{
    /// <summary>Maximum number of entries returned per store-path digest: names are free, so there could be any number.</summary>
    private const int MaxEntriesOfDigest = 8;

    /// <summary>Maximum total size of the values in one response, in bytes; further values are left out.</summary>
    private const int MaxValues = 4 << 20;

    private const int MaxConflicts = 100;

    public void Map(ConnectEndpoint endpoint)
    {
        const string api = "trustix_proxy.v1.LookupAPI/";
        endpoint.Map(
            api + "Lookup",
            LookupRequest.Parser,
            request => logs.On(request.LogID, log => Lookup(log, request)),
            cost: request => request.PathDigests.Count + request.Keys.Count);
        endpoint.Map(
            api + "GetConflicts",
            GetConflictsRequest.Parser,
            request => logs.On(request.LogID, log => GetConflicts(log, request)),
            isLong: true,
            cost: _ => MaxConflicts);
    }

    private static ConnectAnswer Lookup(HostedLog log, LookupRequest request)
    {
        while (true)
        {
            // With a short historyWindow the map of the newest head may be gone once there is a newer one.
            var head = log.Sequencer.Head;
            if ((Check(request, head) ?? log.Database.Read(
                reader => reader.FindMap(head.MapHeadSize) is { } map ? Lookup(reader, map, head, request) : null)) is { } answer)
            {
                return answer;
            }
        }
    }

    private static ConnectAnswer? Lookup(LogReader reader, SparseMerkleMap map, PublishedHead head, LookupRequest request)
    {
        var (tree, mapHeads) = (TileNodes.Of(reader, Tree.Log), TileNodes.Of(reader, Tree.MapHeads));
        var items = new LookupItems(reader, map, head, tree, MaxValues);
        var answer = new LookupResponse
        {
            Head = head.Message,
            ConsistencyProof = { Nodes(MerkleTree.ConsistencyProof((long)request.TreeSize, head.Size, tree)) },
            MHConsistencyProof = { Nodes(MerkleTree.ConsistencyProof((long)request.MHTreeSize, head.MapHeadSize, mapHeads)) },
        };
        if (request.MHTreeSize != (ulong)head.MapHeadSize)
        {
            answer.MapHeadInclusionProof.AddRange(Nodes(MerkleTree.InclusionProof(head.MapHeadSize - 1, head.MapHeadSize, mapHeads)));
        }

        var hasMoved = request.TreeSize != (ulong)head.Size || request.MHTreeSize != (ulong)head.MapHeadSize;
        if (hasMoved && head.Notes is { } notes)
        {
            answer.Checkpoint = UnsafeByteOperations.UnsafeWrap(notes.Log.ToBytes());
            answer.MapHeadCheckpoint = UnsafeByteOperations.UnsafeWrap(notes.MapHeads.ToBytes());
        }

        answer.Items.AddRange(request.PathDigests.Select(text => new LookupItem
        {
            Entries = { EntriesOf(reader, text, head.Size).Select(found => items.Find(found.Entry.Key, found)) }
        }));
        answer.Items.AddRange(request.Keys.Select(key => new LookupItem { Entries = { items.Find(key.ToByteArray()) } }));
        return ConnectAnswer.Of(answer);
    }

    private static ConnectAnswer? Check(LookupRequest request, PublishedHead head)
    {
        var count = request.PathDigests.Count + request.Keys.Count;
        var wrong = request.PathDigests.FirstOrDefault(text => !StorePathDigest.TryParse(text, out _));
        var error = count > WireMessage.MaxLookups ? $"PathDigests and Keys are {count}; at most {WireMessage.MaxLookups} are taken at once"
            : wrong is not null ? $"PathDigests has '{wrong}'; a digest is 32 characters of nix32"
            : request.Keys.Any(key => key.Length > WireMessage.MaxKey)
                ? $"Keys has one of more than {WireMessage.MaxKey} bytes; no key is longer"
            : request.TreeSize > (ulong)head.Size ? $"TreeSize is {request.TreeSize}; the log has {head.Size}"
            : request.MHTreeSize > (ulong)head.MapHeadSize ? $"MHTreeSize is {request.MHTreeSize}; the map-head log has {head.MapHeadSize}"
            : null;
        return error is null ? null : ConnectAnswer.Fail(ConnectCode.InvalidArgument, error);
    }

    private static IEnumerable<(long Index, Entry Entry)> EntriesOf(LogReader reader, string text, long size) =>
        StorePathDigest.TryParse(text, out var digest) ? reader.FindEntriesOfPath(digest, size).Take(MaxEntriesOfDigest) : [];

    private static IEnumerable<ByteString> Nodes(Digest[] nodes) => nodes.Select(WireMessage.ToBytes);

    private static ConnectAnswer GetConflicts(HostedLog log, GetConflictsRequest request) => request.Start > long.MaxValue
        ? ConnectAnswer.Fail(ConnectCode.InvalidArgument, $"Start is {request.Start}; it must be less than 2^63")
        : log.Database.Read(reader =>
        {
            var size = reader.CountConflicts(log.Sequencer.Head.Size);
            var answer = new GetConflictsResponse { Size = (ulong)size };
            answer.Conflicts.AddRange(
                reader.FindConflicts((long)request.Start, (int)Math.Clamp(size - (long)request.Start, 0, MaxConflicts)));
            return ConnectAnswer.Of(answer);
        });

    /// <summary>Builds the items of one response, which share their reads.</summary>
    private sealed class LookupItems(LogReader reader, SparseMerkleMap map, PublishedHead head, FullSubtree tree, int valuesLeft)
    {
        private int _valuesLeft = valuesLeft;

        /// <param name="key">The key.</param>
        /// <param name="known">An entry of the key that was read before; null without one.</param>
        public LookupEntry Find(byte[] key, (long Index, Entry Entry)? known = null)
        {
            var proof = map.Prove(Digest.Of(key), out var leaf);
            var answer = new LookupEntry
            {
                Key = UnsafeByteOperations.UnsafeWrap(key),
                Map = new MapValueResponse { Value = ByteString.Empty, Proof = proof.ToMessage() }
            };
            if (leaf is { Index: var index })
            {
                var entry = known?.Index == index ? known.Value.Entry : reader.FindEntry(index)!;
                answer.Map.Value = UnsafeByteOperations.UnsafeWrap(new MapEntry(entry.ValueDigest, index).ToBytes());
                answer.InclusionProof.AddRange(Nodes(MerkleTree.InclusionProof(index, head.Size, tree)));
                _valuesLeft -= entry.Value.Length;
                if (_valuesLeft >= 0)
                {
                    answer.Value = UnsafeByteOperations.UnsafeWrap(entry.Value);
                }
            }

            return answer;
        }
    }
}
