using System.IO.Compression;
using TrustixProxy.Consensus;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Compresses bundles for the disk, since they are mostly base64 of hashes.</summary>
internal static class PackedBundle
{
    /// <summary>Maximum unpacked bytes of a bundle, far above genuine ones.</summary>
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

    /// <exception cref="InvalidDataException">The bytes are not a packed bundle.</exception>
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
