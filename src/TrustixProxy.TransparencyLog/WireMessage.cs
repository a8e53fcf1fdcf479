using Google.Protobuf;

namespace TrustixProxy.TransparencyLog;

/// <summary>Reads messages of <c>Wire/*.proto</c> out of foreign bytes, and bounds them.</summary>
public static class WireMessage
{
    /// <summary>The most bytes a signed head, or a request without values, may have.</summary>
    public const int MaxHead = 1 << 10;

    /// <summary>The most bytes an inclusion or consistency proof may have: 64 nodes and their framing.</summary>
    public const int MaxProof = 4 << 10;

    /// <summary>The most bytes a map answer may have: 256 side nodes, another leaf, an entry, and their framing.</summary>
    public const int MaxMapValue = 16 << 10;

    /// <summary>The most bytes a submitted key may have.</summary>
    public const int MaxKey = 4 << 10;

    /// <summary>The most bytes a submitted value may have: 1 MiB, which holds thousands of references.</summary>
    public const int MaxValue = 1 << 20;

    /// <summary>The most store paths and keys that one call looks up.</summary>
    public const int MaxLookups = 100;

    /// <summary>Reads <paramref name="bytes"/> whole. False when they are no such message, or lack a required field (which C#'s protobuf
    /// does not notice by itself).</summary>
    public static bool TryParse<T>(MessageParser<T> parser, ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out T? message)
        where T : class, IMessage<T>
    {
        try
        {
            var parsed = parser.ParseFrom(bytes);
            message = parsed.IsInitialized() ? parsed : null;
        }
        catch (InvalidProtocolBufferException)
        {
            message = null;
        }

        return message is not null;
    }

    /// <summary>The nodes of a proof; false when one is not 32 bytes.</summary>
    public static bool TryReadNodes(Wire.ProofResponse message, out Digest[] nodes)
    {
        nodes = new Digest[message.Proof.Count];
        for (var i = 0; i < nodes.Length; i++)
        {
            if (!Digest.TryRead(message.Proof[i].Span, out nodes[i]))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>A digest as a field's value.</summary>
    public static ByteString ToBytes(Digest digest) => ByteString.CopyFrom(digest.ToArray());
}
