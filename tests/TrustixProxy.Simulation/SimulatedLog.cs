using System.Text;
using Google.Protobuf;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Simulation;

/// <summary>One log: answers the plain calls and the one call truly, or lies.</summary>
/// <param name="log">What it holds.</param>
/// <param name="hasOneCall">Whether it has the one call.</param>
/// <param name="random">Where lies get their bytes from.</param>
internal sealed class SimulatedLog(MemoryLog log, bool hasOneCall, Random random)
{
    private readonly Lock _turn = new();
    private readonly Dictionary<string, byte[]> _byDigest = [];
    private readonly bool _isOld = random.Next(4) is 0; // its one call proves no map roots
    private byte[]? _lastLookup;

    public MemoryLog Log => log;

    public bool HasOneCall => hasOneCall;

    /// <summary>How it lies from now on.</summary>
    public Lie Lie { get; set; }

    /// <summary>The head that the proxy knows.</summary>
    public VerifiedTreeHead Known { get; set; } = log.Head;

    /// <summary>The other history that it shows, where the lie is one.</summary>
    public Fork? Fork { get; set; }

    /// <summary>Whose answers the network passes off as this log's.</summary>
    public SimulatedLog? Other { get; set; }

    /// <summary>Gives the checkpoint of its head, or of its map-head log; null where the log has none.</summary>
    public Func<bool, byte[]>? CheckpointOf { get; set; }

    /// <summary>Publishes a value.</summary>
    /// <param name="digest">The digest by which it may be asked for; null when the key holds no name.</param>
    /// <param name="key">The key.</param>
    /// <param name="value">The value.</param>
    /// <param name="index">Which leaf the map says holds it; the true one when null.</param>
    public void Publish(string? digest, byte[] key, byte[] value, long? index = null)
    {
        log.Add(key, value, index);
        if (digest is not null)
        {
            _byDigest[digest] = key;
        }
    }

    /// <summary>The answer's bytes, or an error's JSON.</summary>
    public (byte[] Bytes, bool IsError) Answer(string method, byte[] body)
    {
        if (Lie is Lie.OtherLogsAnswers)
        {
            return Other!.AnswerTruly(method, body);
        }

        lock (_turn)
        {
            if (method is "Lookup" && Lie is Lie.ReplayedLookup && _lastLookup is { } old)
            {
                return (old, false);
            }

            var bytes = Tell(method, body)?.ToByteArray();
            _lastLookup = method is "Lookup" && Lie is Lie.None ? bytes : _lastLookup;
            return bytes is null ? (Error(method), true)
                : (Lie is Lie.Noise ? Disturb(bytes) : Lie is Lie.Truncated ? bytes[..(bytes.Length / 2)] : bytes, false);
        }
    }

    private (byte[] Bytes, bool IsError) AnswerTruly(string method, byte[] body)
    {
        lock (_turn)
        {
            var lie = Lie;
            Lie = Lie.None;
            var bytes = Tell(method, body)?.ToByteArray();
            Lie = lie;
            return bytes is null ? (Error(method), true) : (bytes, false);
        }
    }

    private static byte[] Error(string method) =>
        Encoding.ASCII.GetBytes(
        method is "GetMapValue" ? "{\"code\":\"not_found\",\"message\":\"no such root\"}" : "{\"code\":\"unknown\",\"message\":\"no\"}");

    private byte[] Disturb(byte[] bytes)
    {
        var disturbed = bytes.ToArray();
        for (var i = random.Next(1, 4); i > 0 && disturbed.Length > 0; i--)
        {
            disturbed[random.Next(disturbed.Length)] ^= (byte)(1 << random.Next(8));
        }

        return random.Next(8) is 0 ? disturbed[..random.Next(disturbed.Length + 1)] : disturbed;
    }

    private IMessage? Tell(string method, byte[] body) => method switch
    {
        "GetHead" => HeadMessage(Shown(isOneCall: false), isOneCall: false),
        "GetLogConsistencyProof" when GetLogConsistencyProofRequest.Parser.ParseFrom(body) is var asked =>
            Proof(Consistency((long)asked.FirstSize, (long)asked.SecondSize)),
        "GetMHLogConsistencyProof" when GetLogConsistencyProofRequest.Parser.ParseFrom(body) is var asked =>
            Proof(MapHeadConsistency((long)asked.FirstSize, (long)asked.SecondSize)),
        "GetLogAuditProof" when GetLogAuditProofRequest.Parser.ParseFrom(body) is var asked =>
            Proof(Inclusion((long)asked.Index, (long)asked.TreeSize)),
        "GetMHLogAuditProof" when GetLogAuditProofRequest.Parser.ParseFrom(body) is var asked => Proof(MapRoot((long)asked.TreeSize)),
        "GetLogEntries" when GetLogEntriesRequest.Parser.ParseFrom(body) is var asked => Entries((int)asked.Start, (int)asked.Finish),
        "GetMapValue" when GetMapValueRequest.Parser.ParseFrom(body) is var asked =>
            MapValue(asked.Key.ToByteArray(), new Digest(asked.MapRoot.Span)),
        "GetValue" when ValueRequest.Parser.ParseFrom(body) is var asked =>
            Value(new Digest(asked.Digest.Span)) is { } value ? new ValueResponse { Value = value } : null,
        "Lookup" when hasOneCall => Lookup(LookupRequest.Parser.ParseFrom(body)),
        _ => null,
    };

    private LogEntriesResponse? Entries(int start, int finish)
    {
        if (start >= log.Leaves.Count)
        {
            return null;
        }

        var leaves = Enumerable.Range(start, Math.Min(finish, log.Leaves.Count - 1) - start + 1)
            .Select(i => new LogLeaf
            {
                Key = ByteString.CopyFrom(log.Leaves[i].Key),
                ValueDigest = WireMessage.ToBytes(log.Leaves[i].ValueDigest),
                LeafDigest = WireMessage.ToBytes(log.Leaf(i))
            }).ToList();
        if (Lie is Lie.WrongEntry && leaves[random.Next(leaves.Count)] is var wrong)
        {
            (wrong.Key, wrong.ValueDigest) = random.Next(2) is 0 ? (Flip(wrong.Key), wrong.ValueDigest)
                : (wrong.Key, Flip(wrong.ValueDigest));
        }

        return new LogEntriesResponse { Leaves = { leaves } };
    }

    private LookupResponse Lookup(LookupRequest asked)
    {
        var head = Shown(isOneCall: true);
        var (size, mapHeads) = (head.Content.TreeSize, head.Content.MapHeadSize);
        var response = new LookupResponse { Head = HeadMessage(head, isOneCall: true) };
        if (size > (long)asked.TreeSize)
        {
            response.ConsistencyProof.AddRange((Consistency((long)asked.TreeSize, size) ?? []).Select(WireMessage.ToBytes));
            response.MHConsistencyProof.AddRange((MapHeadConsistency((long)asked.MHTreeSize, mapHeads) ?? []).Select(WireMessage.ToBytes));
        }

        if (mapHeads != (long)asked.MHTreeSize && !_isOld)
        {
            response.MapHeadInclusionProof.AddRange((MapRoot(mapHeads) ?? []).Select(WireMessage.ToBytes));
            response.Checkpoint = ByteString.CopyFrom(CheckpointOf?.Invoke(false) ?? []);
            response.MapHeadCheckpoint = ByteString.CopyFrom(CheckpointOf?.Invoke(true) ?? []);
        }

        if (Lie is Lie.StaleRoot or Lie.OneCallEmpty)
        {
            return response;
        }

        response.Items.AddRange(asked.PathDigests.Select(
            digest => _byDigest.TryGetValue(digest, out var key) ? Item(ByteString.CopyFrom(key), head) : new LookupItem()));
        response.Items.AddRange(asked.Keys.Select(key => Item(key, head)));
        return response;
    }

    private LookupItem Item(ByteString key, VerifiedTreeHead head)
    {
        var size = head.Content.TreeSize;
        var entry = new LookupEntry
        {
            Key = key,
            Map = MapValue(key.ToByteArray(), head.Content.MapRoot)
            ?? new MapValueResponse { Value = ByteString.Empty, Proof = new MapProof([], null).ToMessage() }
        };
        if (MapEntry.TryParse(entry.Map.Value.Span, out var found) && found.Index < size)
        {
            entry.InclusionProof.AddRange((Inclusion(found.Index, size) ?? []).Select(WireMessage.ToBytes));
            if (Value(found.ValueDigest) is { } value)
            {
                entry.Value = value;
            }
        }

        return new LookupItem { Entries = { entry } };
    }

    private VerifiedTreeHead Shown(bool isOneCall) => Lie switch
    {
        Lie.Rollback or Lie.ReplayedHead => log.Heads[(int)Known.Content.TreeSize / 2],
        Lie.MapRootOfOlderHead => log.Signer.Sign(log.Head.Content with { MapRoot = Known.Content.MapRoot }),
        Lie.WithheldHead => Known,
        Lie.SplitView or Lie.RewrittenLog or Lie.RewrittenMapHeads or Lie.LaterFork => Fork!.Head,
        Lie.OneCallForked when isOneCall => Fork!.Head,
        _ => log.Head,
    };

    private LogHead HeadMessage(VerifiedTreeHead head, bool isOneCall)
    {
        var message = head.ToMessage();
        switch (Lie)
        {
            case Lie.ForgedSignature:
            case Lie.OneCallForged when isOneCall:
                message.Signature = Flip(message.Signature);
                break;
            case Lie.MalformedHead:
                message.LogRoot = ByteString.CopyFrom(message.LogRoot.Span[1..]);
                break;
            case Lie.TamperedHead:
                message.MapRoot = Flip(message.MapRoot);
                break;
        }

        return message;
    }

    private Digest[]? Consistency(long older, long newer) => Lie switch
    {
        Lie.EmptyConsistencyProof => [],
        _ when Fork is { } fork && newer == fork.Head.Content.TreeSize && newer > log.Head.Content.TreeSize => fork.LogProof(older),
        _ when newer > log.Head.Content.TreeSize => null,
        Lie.TamperedConsistency => Tamper(log.ConsistencyProof(older, newer)),
        _ => log.ConsistencyProof(older, newer),
    };

    private Digest[]? MapHeadConsistency(long older, long newer) => Lie switch
    {
        Lie.EmptyMapHeadProof => [],
        _ when Fork is { } fork && newer == fork.Head.Content.MapHeadSize && newer > log.Heads.Count => fork.MapHeadProof(older),
        _ when newer > log.Heads.Count => null,
        _ => log.MapHeadConsistencyProof(older, newer),
    };

    private Digest[]? MapRoot(long size) =>
        Fork is { } fork && size == fork.Head.Content.MapHeadSize && size > log.Heads.Count ? fork.MapRootProof()
        : size > log.Heads.Count ? null
        : Lie is Lie.TamperedMapRootProof ? [.. log.MapRootProof(size), AnyDigest()]
        : log.MapRootProof(size);

    private Digest[]? Inclusion(long index, long size) =>
        size > log.Head.Content.TreeSize || Lie is Lie.ThiefPointsAtOldLeaf ? null : Lie switch
        {
            Lie.SurplusProofNode => [.. log.InclusionProof(index, size), AnyDigest()],
            Lie.MissingProofNode => log.InclusionProof(index, size)[..^1],
            Lie.TamperedInclusion => Tamper(log.InclusionProof(index, size)),
            Lie.SwappedInclusion => log.InclusionProof(index is 0 ? 1 : index - 1, size),
            _ => log.InclusionProof(index, size),
        };

    private MapValueResponse? MapValue(byte[] key, Digest root)
    {
        var isOld = Lie is Lie.StaleProof && root == log.Head.Content.MapRoot;
        if (Lie is Lie.StaleRoot || log.MapValue(key, isOld ? log.Heads[^2].Content.MapRoot : root) is not { } answer)
        {
            return null;
        }

        switch (Lie)
        {
            case Lie.PaddingBits:
                var mask = answer.Proof.BitMask.ToByteArray();
                answer.Proof.BitMask = answer.Proof.NumSideNodes % 8 is 0 ? ByteString.CopyFrom([.. mask, 0])
                    : ByteString.CopyFrom([.. mask[..^1], (byte)(mask[^1] | 1)]);
                break;
            case Lie.SurplusSideNode:
                answer.Proof.SideNodes.Add(WireMessage.ToBytes(AnyDigest()));
                break;
            case Lie.TamperedMapProof:
                var at = random.Next(answer.Proof.SideNodes.Count);
                answer.Proof.SideNodes[at] = Flip(answer.Proof.SideNodes[at]);
                break;
        }

        return answer;
    }

    private ByteString? Value(Digest digest) =>
        Lie is Lie.NoValue or Lie.KnownValueWithheld || !log.Values.TryGetValue(digest, out var value) ? null
        : Lie is Lie.WrongValue ? ByteString.CopyFrom(
            Encoding.ASCII.GetBytes(Encoding.ASCII.GetString(value).Replace("narSize\":", "narSize\":1", StringComparison.Ordinal)))
        : Lie is Lie.TamperedValue ? Flip(ByteString.CopyFrom(value))
        : ByteString.CopyFrom(value);

    private Digest AnyDigest()
    {
        Span<byte> bytes = stackalloc byte[Digest.Size];
        random.NextBytes(bytes);
        return new Digest(bytes);
    }

    private ByteString Flip(ByteString bytes)
    {
        var flipped = bytes.ToByteArray();
        flipped[random.Next(flipped.Length)] ^= (byte)(1 << random.Next(8));
        return ByteString.CopyFrom(flipped);
    }

    private Digest[] Tamper(Digest[] proof)
    {
        var at = random.Next(proof.Length);
        proof[at] = new Digest(Flip(WireMessage.ToBytes(proof[at])).Span);
        return proof;
    }

    private static ProofResponse? Proof(Digest[]? nodes) =>
        nodes is null ? null : new ProofResponse { Proof = { nodes.Select(WireMessage.ToBytes) } };
}
