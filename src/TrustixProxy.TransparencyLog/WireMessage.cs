using Google.Protobuf;

namespace TrustixProxy.TransparencyLog;

/// <summary>Parses messages of <c>Wire/*.proto</c> from untrusted bytes, and limits their size.</summary>
public static class WireMessage
{
    /// <summary>Maximum size of a signed head, or of a request without values, in bytes.</summary>
    public const int MaxHead = 1 << 10;

    /// <summary>Maximum size of an inclusion or consistency proof, in bytes: 64 nodes and their framing.</summary>
    public const int MaxProof = 4 << 10;

    /// <summary>Maximum size of a map answer, in bytes: 256 side nodes, another leaf, an entry, and their framing.</summary>
    public const int MaxMapValue = 16 << 10;

    /// <summary>Maximum size of a submitted key, in bytes.</summary>
    public const int MaxKey = 4 << 10;

    /// <summary>Maximum size of a submitted value, in bytes: 1 MiB, which holds thousands of references.</summary>
    public const int MaxValue = 1 << 20;

    /// <summary>Maximum number of store paths and keys per lookup call.</summary>
    public const int MaxLookups = 100;

    /// <summary>Parses <paramref name="bytes"/> completely. False for another message, or without a required field (which C#'s protobuf
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

    /// <summary>Reads the nodes of a proof; false when one is not 32 bytes.</summary>
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

    /// <summary>Encodes a digest as a field's value.</summary>
    public static ByteString ToBytes(Digest digest) => ByteString.CopyFrom(digest.ToArray());
}
