using System.Collections.Concurrent;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Publisher;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Testing;

/// <summary>A way in which a log, or whoever speaks for it, misbehaves.</summary>
public enum LogLie
{
    None,

    /// <summary>A signature that the log's key did not make.</summary>
    ForgedSignature,

    /// <summary>The first head again, long after others were seen.</summary>
    Rollback,

    /// <summary>The head before the newest one again, signed with another root: two different heads of one size.</summary>
    SplitView,

    /// <summary>A longer history that does not contain what was seen before.</summary>
    Fork,

    /// <summary>No map root is known, not even that of the newest head.</summary>
    StaleRoot,

    /// <summary>Other bytes than those whose digest is proven.</summary>
    WrongValue,

    /// <summary>No value at all.</summary>
    NoValue,

    /// <summary>A statement about another path under this path's key.</summary>
    ValueOfOtherPath,

    /// <summary>Bytes that are no statement.</summary>
    ValueOfNothing,

    /// <summary>A map entry that names a leaf which holds something else.</summary>
    EntryOfOtherLeaf,

    /// <summary>One node too many in an inclusion proof.</summary>
    SurplusProofNode,

    /// <summary>A bit of the map proof's mask past its end.</summary>
    PaddingBits,

    /// <summary>A consistency proof without nodes.</summary>
    EmptyConsistencyProof,

    /// <summary>A consistency proof of the map-head log without nodes.</summary>
    EmptyMapHeadProof,

    /// <summary>A head whose map root is an older one, and not the last leaf of its map-head log.</summary>
    MapRootOfOlderHead,

    /// <summary>A surplus node in the proof that the map root is the last leaf of the map-head log.</summary>
    SurplusMapRootNode,

    /// <summary>100 MB, each answer.</summary>
    Huge,

    /// <summary>One byte a second.</summary>
    Drip,

    /// <summary>No answer, ever.</summary>
    Hang,

    /// <summary>A broken connection.</summary>
    Reset,

    /// <summary>A web page.</summary>
    Html,

    /// <summary>A message cut in half.</summary>
    Truncated,
}

/// <summary>A log behind HTTP that tells the truth, or lies on demand.</summary>
public sealed class FakeLog : FakeServer
{
    private readonly ConcurrentQueue<string> _calls = new();

    private FakeLog()
    {
    }

    public MemoryLog Log { get; private set; } = new();

    /// <summary>How it misbehaves from now on.</summary>
    public LogLie Lie { get; set; }

    /// <summary>Whether the call for inclusion proofs breaks the connection, as the reference's does.</summary>
    public bool HasNoInclusionProofs { get; set; }

    /// <summary>Whether absence is said and not proven, as the reference does.</summary>
    public bool SaysAbsenceLikeTheReference { get; set; }

    /// <summary>Whether an absent key and a lost root are answered alike, but for the bytes in the text: SHA-256 of the key, or the
    /// root.</summary>
    public bool NamesMissingObjects { get; set; }

    /// <summary>Whether only the newest root of the map is known, as with the reference.</summary>
    public bool ForgetsOldRoots { get; set; }

    /// <summary>Whether a key that came later is answered under the root of one entry, with that root's proof, as older versions of the
    /// reference do.</summary>
    public bool ProvesNewValuesUnderTheFirstRoot { get; set; }

    /// <summary>What is made of an entry, by its index, before it is given.</summary>
    public Func<int, LogLeaf, LogLeaf>? TwistEntry { get; set; }

    /// <summary>Gives the checkpoint of a head, or of its map-head log; null where the log has none.</summary>
    public Func<TreeHead, bool, byte[]>? CheckpointOf { get; set; }

    /// <summary>Whether it has the lookup call, as our node does.</summary>
    public bool HasLookup { get; set; }

    /// <summary>The methods that were called, in order.</summary>
    public IReadOnlyCollection<string> Calls => _calls;

    public static async Task<FakeLog> StartAsync()
    {
        var log = new FakeLog();
        await log.ListenAsync();
        return log;
    }

    /// <summary>Publishes a statement, as a builder does.</summary>
    public void Publish(BuildStatement statement)
    {
        lock (_calls)
        {
            switch (Lie)
            {
                case LogLie.ValueOfOtherPath:
                    Log.Add(statement.Key, (statement with { Path = TestOutput.PathOf("other-1.0") }).Value);
                    break;
                case LogLie.ValueOfNothing:
                    Log.Add(statement.Key, "{\"path\":1}"u8.ToArray());
                    break;
                case LogLie.EntryOfOtherLeaf:
                    Log.Add("decoy"u8.ToArray(), "decoy"u8.ToArray());
                    Log.Add(statement.Key, statement.Value, index: 0);
                    break;
                default:
                    Log.Add(statement.Key, statement.Value);
                    break;
            }
        }
    }

    /// <summary>Shows this log from now on.</summary>
    public void Show(MemoryLog log) => Log = log;

    /// <summary>Starts to show another history than before, with the same key.</summary>
    public void ForkNow(int keep)
    {
        lock (_calls)
        {
            Log = Log.Fork(keep);
        }
    }

    protected override async Task AnswerAsync(HttpContext context)
    {
        var method = Path.GetFileName(context.Request.Path.Value)!;
        _calls.Enqueue(method);
        if (await Misbehaviour.TryAsync(context, Lie switch
        {
            LogLie.Huge => Misbehaviour.Kind.Huge,
            LogLie.Drip => Misbehaviour.Kind.Drip,
            LogLie.Hang => Misbehaviour.Kind.Hang,
            LogLie.Reset => Misbehaviour.Kind.Reset,
            LogLie.Html => Misbehaviour.Kind.Html,
            _ when HasNoInclusionProofs && method is "GetLogAuditProof" or "GetMHLogAuditProof" => Misbehaviour.Kind.Reset,
            _ => Misbehaviour.Kind.None,
        }))
        {
            return;
        }

        if (HttpMethods.IsGet(context.Request.Method))
        {
            var isMapHeads = context.Request.Path.Value!.Contains("mapheads", StringComparison.Ordinal);
            context.Response.StatusCode = CheckpointOf is null ? 404 : 200;
            await context.Response.Body.WriteAsync(CheckpointOf?.Invoke(Log.Head.Content, isMapHeads) ?? []);
            return;
        }

        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var answer = Answer(method, body.ToArray());
        var bytes = answer?.ToByteArray() ?? Error(method, body.ToArray());
        context.Response.StatusCode = answer is null ? 500 : 200;
        context.Response.ContentType = answer is null ? "application/json" : "application/proto";
        await context.Response.Body.WriteAsync(Lie is LogLie.Truncated ? bytes.AsMemory(0, bytes.Length / 2) : bytes);
    }

    private byte[] Error(string method, byte[] body)
    {
        if (!NamesMissingObjects || method is not "GetMapValue")
        {
            return Error(method);
        }

        var request = GetMapValueRequest.Parser.ParseFrom(body);
        var isKnown = Lie is not LogLie.StaleRoot && new Digest(request.MapRoot.Span) == Log.Head.Content.MapRoot;
        var missing = isKnown ? Digest.Of(request.Key.Span) : new Digest(request.MapRoot.Span);
        return System.Text.Encoding.ASCII.GetBytes(
            $"{{\"code\":\"unknown\",\"message\":\"error retreiving object with key '[{string.Join(' ', missing.ToArray())}]': could not "
                + $"find object\"}}");
    }

    private byte[] Error(string method) => SaysAbsenceLikeTheReference && method is "GetMapValue" && Lie is not LogLie.StaleRoot
        ? "{\"code\":\"unknown\",\"message\":\"Map value not found\"}"u8.ToArray()
        : method is "GetMapValue"
            ? "{\"code\":\"unknown\",\"message\":\"error retreiving object with key '[1]': could not find object\"}"u8.ToArray()
        : "{\"code\":\"unknown\",\"message\":\"no\"}"u8.ToArray();

    private IMessage? Answer(string method, byte[] body)
    {
        lock (_calls)
        {
            return method switch
            {
                "GetHead" => Head(),
                "GetLogConsistencyProof" =>
                    Proof(GetLogConsistencyProofRequest.Parser.ParseFrom(body) is var r && Lie is not LogLie.EmptyConsistencyProof
                    ? Log.ConsistencyProof((long)r.FirstSize, (long)r.SecondSize) : []),
                "GetMHLogConsistencyProof" =>
                    Proof(GetLogConsistencyProofRequest.Parser.ParseFrom(body) is var m && Lie is not LogLie.EmptyMapHeadProof
                    ? Log.MapHeadConsistencyProof((long)m.FirstSize, (long)m.SecondSize) : []),
                "GetLogAuditProof" => Proof(Inclusion(GetLogAuditProofRequest.Parser.ParseFrom(body))),
                "GetMHLogAuditProof" => Proof(MapRootProof(GetLogAuditProofRequest.Parser.ParseFrom(body))),
                "GetLogEntries" => Entries(GetLogEntriesRequest.Parser.ParseFrom(body)),
                "GetMapValue" => MapValue(GetMapValueRequest.Parser.ParseFrom(body)),
                "Lookup" when HasLookup => Lookup(LookupRequest.Parser.ParseFrom(body)),
                "GetValue" => Value(ValueRequest.Parser.ParseFrom(body)),
                _ => null,
            };
        }
    }

    private LookupResponse Lookup(LookupRequest request)
    {
        var head = Log.Head.Content;
        var answer = new LookupResponse { Head = Head() };
        answer.ConsistencyProof.AddRange(
            Nodes(request.TreeSize is 0 ? [] : Log.ConsistencyProof((long)request.TreeSize, head.TreeSize)));
        answer.MHConsistencyProof.AddRange(
            Nodes(request.MHTreeSize is 0 ? [] : Log.MapHeadConsistencyProof((long)request.MHTreeSize, head.MapHeadSize)));
        if ((long)request.MHTreeSize != head.MapHeadSize || (long)request.TreeSize != head.TreeSize)
        {
            answer.MapHeadInclusionProof.AddRange(Nodes(Log.MapRootProof(head.MapHeadSize)));
            answer.Checkpoint = ByteString.CopyFrom(CheckpointOf?.Invoke(head, false) ?? []);
            answer.MapHeadCheckpoint = ByteString.CopyFrom(CheckpointOf?.Invoke(head, true) ?? []);
        }

        answer.Items.AddRange(request.PathDigests.Select(
            digest => Item(Log.Leaves.Select(leaf => leaf.Key).Where(key => IsOf(key, digest)), head)));
        answer.Items.AddRange(request.Keys.Select(key => Item([key.ToByteArray()], head)));
        return answer;
    }

    private static bool IsOf(byte[] key, string digest) =>
        System.Text.Encoding.ASCII.GetString(key).StartsWith($"/nix/store/{digest}-", StringComparison.Ordinal);

    private LookupItem Item(IEnumerable<byte[]> keys, TreeHead head)
    {
        var item = new LookupItem();
        foreach (var key in keys)
        {
            var entry = new LookupEntry { Key = ByteString.CopyFrom(key), Map = Log.MapValue(key, head.MapRoot) };
            if (MapEntry.TryParse(entry.Map!.Value.Span, out var found))
            {
                entry.InclusionProof.AddRange(Nodes(Log.InclusionProof(found.Index, head.TreeSize)));
                entry.Value = ByteString.CopyFrom(Log.Values[found.ValueDigest]);
            }

            item.Entries.Add(entry);
        }

        return item;
    }

    private static IEnumerable<ByteString> Nodes(Digest[] nodes) => nodes.Select(WireMessage.ToBytes);

    private LogHead Head()
    {
        var head = (Lie switch
        {
            LogLie.Rollback => Log.Heads[0],
            LogLie.SplitView => Log.Signer.Sign(Log.Heads[^2].Content with { LogRoot = Digest.Of(Guid.NewGuid().ToByteArray()) }),
            LogLie.MapRootOfOlderHead => Log.Signer.Sign(Log.Head.Content with { MapRoot = Log.Heads[^2].Content.MapRoot }),
            _ => Log.Head,
        }).ToMessage();
        if (Lie is LogLie.ForgedSignature)
        {
            head.Signature = ByteString.CopyFrom([.. head.Signature.Span[..63], (byte)(head.Signature[63] ^ 1)]);
        }

        return head;
    }

    private Digest[] MapRootProof(GetLogAuditProofRequest request)
    {
        var proof = Log.MapRootProof((long)request.TreeSize);
        return Lie is LogLie.SurplusMapRootNode ? [.. proof, Digest.Of([1])] : proof;
    }

    private Digest[] Inclusion(GetLogAuditProofRequest request)
    {
        var proof = Log.InclusionProof((long)request.Index, (long)request.TreeSize);
        return Lie is LogLie.SurplusProofNode ? [.. proof, Digest.Of([1])] : proof;
    }

    private MapValueResponse? MapValue(GetMapValueRequest request)
    {
        var root = new Digest(request.MapRoot.Span);
        var isForgotten = Lie is LogLie.StaleRoot || (ForgetsOldRoots && root != Log.Head.Content.MapRoot);
        var answer = isForgotten ? null : Log.MapValue(request.Key.ToByteArray(), root);
        if (ProvesNewValuesUnderTheFirstRoot && answer is not null && Log.Heads.Count > 1 && root == Log.Heads[1].Content.MapRoot)
        {
            answer.Value = Log.MapValue(request.Key.ToByteArray(), Log.Head.Content.MapRoot)!.Value;
            answer.Proof.NonMembershipLeafData = ByteString.Empty;
        }

        if (answer is { Value.Length: 0 } && (SaysAbsenceLikeTheReference || NamesMissingObjects))
        {
            return null;
        }

        if (answer is not null && Lie is LogLie.PaddingBits)
        {
            answer.Proof.BitMask = ByteString.CopyFrom(
                answer.Proof.BitMask.Length is 0 ? [1] : [.. answer.Proof.BitMask.Span[..^1], (byte)(answer.Proof.BitMask[^1] | 1)]);
        }

        return answer;
    }

    private ValueResponse? Value(ValueRequest request)
    {
        if (Lie is LogLie.NoValue || !Log.Values.TryGetValue(new Digest(request.Digest.Span), out var value))
        {
            return null;
        }

        return new ValueResponse
        {
            Value = ByteString.CopyFrom(Lie is LogLie.WrongValue ? System.Text.Encoding.ASCII.GetBytes(
            System.Text.Encoding.ASCII.GetString(value).Replace("narSize\":", "narSize\":1", StringComparison.Ordinal)) : value)
        };
    }

    private LogEntriesResponse Entries(GetLogEntriesRequest request)
    {
        var answer = new LogEntriesResponse();
        for (var i = (int)request.Start; i <= (int)request.Finish; i++)
        {
            var (key, digest) = Log.Leaves[i];
            var leaf = new LogLeaf
            {
                Key = ByteString.CopyFrom(key),
                ValueDigest = WireMessage.ToBytes(digest),
                LeafDigest = WireMessage.ToBytes(Log.Leaf(i))
            };
            answer.Leaves.Add(TwistEntry?.Invoke(i, leaf) ?? leaf);
        }

        return answer;
    }

    private static ProofResponse Proof(Digest[] nodes)
    {
        var response = new ProofResponse();
        response.Proof.AddRange(nodes.Select(WireMessage.ToBytes));
        return response;
    }
}
