using System.IO.Compression;
using TrustixProxy.Consensus;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Bundles as they lie on the disk: compressed, since they are base64 of hashes for the most part.</summary>
internal static class PackedBundle
{
    /// <summary>The most bytes that a bundle unpacks to: no true one comes near.</summary>
    private const int MaxSize = 64 << 20;

    public static byte[] Pack(DecisionBundle bundle)
    {
        using var packed = new MemoryStream();
        using (var stream = new DeflateStream(packed, CompressionLevel.Fastest))
        {
            stream.Write(bundle.ToBytes());
        }

        return packed.ToArray();
    }

    /// <exception cref="InvalidDataException">It is none.</exception>
    public static byte[] Unpack(byte[] packed)
    {
        using var stream = new DeflateStream(new MemoryStream(packed), CompressionMode.Decompress);
        var unpacked = new MemoryStream();
        var buffer = new byte[16 << 10];
        while (stream.Read(buffer) is var read and > 0)
        {
            unpacked.Write(buffer, 0, read);
            if (unpacked.Length > MaxSize)
            {
                throw new InvalidDataException($"A stored bundle has more than {MaxSize} bytes.");
            }
        }

        return unpacked.ToArray();
    }
}
