using System.Buffers.Binary;
using System.Text;
using Google.Protobuf;
using TrustixProxy.Consensus;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using Wire = TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Fuzz;

/// <summary>The doors that a log's answers pass.</summary>
internal static class ProofDoors
{
    private const int Entries = 23;
    private static readonly TestOutput Output = TestOutput.Make();
    private static readonly byte[] Absent = "/nix/store/absent"u8.ToArray();
    private static readonly MemoryLog Log = Fill();

    public static IEnumerable<Door> All =>
    [
        new("SignedTreeHead", [Log.Head.ToMessage().ToByteArray()], VerifyHead),
        new("Digest", [new byte[Digest.Size]], bytes => Digest.TryRead(bytes, out _)),
        new("WireMessage", [Log.MapValue(Absent, Log.Head.Content.MapRoot)!.ToByteArray()], bytes =>
            WireMessage.TryParse(Wire.MapValueResponse.Parser, bytes, out _)),
        new("MapEntry", [new MapEntry(Digest.Of([]), 7).ToBytes()], bytes => MapEntry.TryParse(bytes, out _)),
        new("MapProof of presence", [Log.MapValue(Output.Statement.Key, Log.Head.Content.MapRoot)!.ToByteArray()], bytes =>
            VerifyMap(bytes, Output.Statement.Key)),
        new("MapProof of absence", [Log.MapValue(Absent, Log.Head.Content.MapRoot)!.ToByteArray()], bytes => VerifyMap(bytes, Absent)),
        new("InclusionProof", [.. Enumerable.Range(0, Entries).Select(index => Sized(index, Entries, Log.InclusionProof(index, Entries)))],
            VerifyInclusion),
        new("ConsistencyProof", [.. Enumerable.Range(0, Entries + 1)
            .Select(size => Sized(size, Entries, Log.ConsistencyProof(size, Entries)))], VerifyConsistency),
        new("LogView", [.. Enumerable.Range(0, Entries).Select(size => Sized(size, Entries, Log.ConsistencyProof(size, Entries)))],
            Advance),
        new("OutputClaim", [Output.Statement.Value], ReadClaim),
    ];

    private static MemoryLog Fill()
    {
        var log = new MemoryLog();
        log.Add(Output.Statement.Key, Output.Statement.Value);
        for (var i = 1; i < Entries; i++)
        {
            log.Add(Encoding.ASCII.GetBytes($"/nix/store/{i}"), [(byte)i]);
        }

        return log;
    }

    private static bool VerifyHead(byte[] bytes) =>
        WireMessage.TryParse(Wire.LogHead.Parser, bytes, out var message) && SignedTreeHead.TryRead(message, out var head, out _)
            && Log.Signer.Key.TryVerify(head, out _, out _);

    private static bool VerifyMap(byte[] bytes, byte[] key) =>
        WireMessage.TryParse(Wire.MapValueResponse.Parser, bytes, out var message)
        && MapProof.TryRead(message.Proof, out var proof, out _)
        && proof.TryVerify(Log.Head, key, message.Value.Span, out _, out _);

    /// <summary>Two numbers of 8 bytes, then a proof as the wire has it.</summary>
    private static byte[] Sized(long first, long second, Digest[] nodes)
    {
        var message = new Wire.ProofResponse();
        message.Proof.AddRange(nodes.Select(WireMessage.ToBytes));
        var numbers = new byte[16];
        BinaryPrimitives.WriteInt64LittleEndian(numbers, first);
        BinaryPrimitives.WriteInt64LittleEndian(numbers.AsSpan(8), second);
        return [.. numbers, .. message.ToByteArray()];
    }

    private static bool TryReadSized(byte[] bytes, out long first, out long second, out Digest[] nodes)
    {
        (first, second, nodes) = (0, 0, []);
        if (bytes.Length < 16 || !WireMessage.TryParse(Wire.ProofResponse.Parser, bytes.AsSpan(16), out var message)
            || !WireMessage.TryReadNodes(message, out nodes))
        {
            return false;
        }

        (first, second) = (BinaryPrimitives.ReadInt64LittleEndian(bytes), BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(8)));
        return true;
    }

    private static bool VerifyInclusion(byte[] bytes) =>
        TryReadSized(bytes, out var index, out var size, out var nodes)
        && InclusionProof.TryVerify(index, size, Leaf(index), nodes, Log.Head.Content.LogRoot, out _);

    private static Digest Leaf(long index) => index switch
    {
        0 => MerkleHash.LogLeaf(Output.Statement.Key, Digest.Of(Output.Statement.Value)),
        > 0 and < Entries => MerkleHash.LogLeaf(Encoding.ASCII.GetBytes($"/nix/store/{index}"), Digest.Of([(byte)index])),
        _ => default,
    };

    private static bool VerifyConsistency(byte[] bytes) =>
        TryReadSized(bytes, out var older, out var newer, out var nodes)
        && ConsistencyProof.TryVerify(older, newer, Root(older), Root(newer), nodes, out _);

    private static Digest Root(long size) => size is >= 0 and <= Entries ? Log.Heads[(int)size].Content.LogRoot : default;

    private static bool Advance(byte[] bytes)
    {
        if (!TryReadSized(bytes, out var older, out _, out var nodes) || older is < 0 or > Entries)
        {
            return false;
        }

        var known = Log.Heads[(int)older];
        var mapHeads = Log.MapHeadConsistencyProof(known.Content.MapHeadSize, Log.Head.Content.MapHeadSize);
        return new LogView(known).TryAdvance(Log.Head, nodes, mapHeads, out _, out _, out _);
    }

    private static bool ReadClaim(byte[] value)
    {
        var log = new MemoryLog();
        log.Add(Output.Statement.Key, value);
        var message = log.MapValue(Output.Statement.Key, log.Head.Content.MapRoot)!;
        return MapProof.TryRead(message.Proof, out var proof, out _)
            && proof.TryVerify(log.Head, Output.Statement.Key, message.Value.Span, out var proven, out _)
            && OutputClaim.TryRead(proven, value, Output.Path, out _, out _);
    }
}
