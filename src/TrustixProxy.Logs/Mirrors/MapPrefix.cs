using System.Buffers.Binary;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Logs.Mirrors;

/// <summary>A subtree of the map: all paths that begin with the first <paramref name="Depth"/> bits of <paramref name="Path"/>, whose other
/// bits are zero.</summary>
/// <param name="Depth">Number of prefix bits; 0 to 256.</param>
/// <param name="Path">The prefix bits; the rest are zero.</param>
public readonly record struct MapPrefix(Digest Path, int Depth)
{
    /// <summary>Returns the half whose next bit is <paramref name="isRight"/>.</summary>
    public MapPrefix Half(bool isRight)
    {
        if (!isRight)
        {
            return new MapPrefix(Path, Depth + 1);
        }

        Span<byte> bytes = stackalloc byte[Digest.Size];
        Path.CopyTo(bytes);
        bytes[Depth / 8] |= (byte)(0x80 >> (Depth % 8));
        return new MapPrefix(new Digest(bytes), Depth + 1);
    }

    public bool Holds(Digest path)
    {
        for (var i = 0; i < Depth; i++)
        {
            if (path.Bit(i) != Path.Bit(i))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Encodes the prefix as its storage key.</summary>
    public byte[] ToBytes() => [(byte)Depth, .. Path.ToArray().AsSpan(0, (Depth + 7) / 8)];

    /// <summary>Returns the lowest and the highest first eight bytes of the subtree's paths.</summary>
    public (byte[] First, byte[] Last) Range()
    {
        var first = Path.ToArray().AsSpan(0, 8).ToArray();
        var last = new byte[8];
        var rest = Depth >= 64 ? 0 : ulong.MaxValue >> Depth;
        BinaryPrimitives.WriteUInt64BigEndian(last, BinaryPrimitives.ReadUInt64BigEndian(first) | rest);
        return (first, last);
    }
}
