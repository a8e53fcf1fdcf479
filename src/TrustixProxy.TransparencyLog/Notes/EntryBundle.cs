using System.Buffers.Binary;
using System.Collections.Immutable;

namespace TrustixProxy.TransparencyLog.Notes;

/// <summary>The entries of a tile as C2SP's clients read them: each a length of 2 bytes, most significant first, and the entry.</summary>
/// <remarks>Path <c>tile/entries/N[.p/W]</c>, see <see cref="ArchiveLayout.FileName"/>. An entry's leaf is SHA-256(00 || entry). Source:
/// C2SP tlog-tiles v0.1.0.</remarks>
public static class EntryBundle
{
    /// <summary>Maximum number of entries.</summary>
    public const int Width = ArchiveLayout.Width;

    /// <summary>Maximum size of an entry, in bytes.</summary>
    public const int MaxEntry = ushort.MaxValue;

    /// <summary>Maximum size of a bundle, in bytes.</summary>
    public const int MaxSize = Width * (2 + MaxEntry);

    /// <summary>Returns the entry of our log: key, colon and SHA-256 of the value.</summary>
    public static byte[] EntryOf(ReadOnlySpan<byte> key, Digest valueDigest) => [.. key, (byte)':', .. valueDigest.ToArray()];

    /// <summary>Encodes entries.</summary>
    /// <exception cref="ArgumentException">An entry is longer than <see cref="MaxEntry"/>.</exception>
    public static byte[] Encode(IEnumerable<ReadOnlyMemory<byte>> entries)
    {
        var bytes = new List<byte>();
        Span<byte> length = stackalloc byte[2];
        foreach (var entry in entries)
        {
            if (entry.Length > MaxEntry)
            {
                throw new ArgumentException($"an entry has {entry.Length} bytes; a bundle holds entries of at most {MaxEntry}",
                    nameof(entries));
            }

            BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)entry.Length);
            bytes.AddRange(length);
            bytes.AddRange(entry.Span);
        }

        return [.. bytes];
    }

    /// <summary>Reads a bundle whole; false unless it holds exactly this number of entries.</summary>
    /// <param name="bytes">The bundle.</param>
    /// <param name="width">Number of entries, as its path says: 1 to 256.</param>
    /// <param name="entries">The entries.</param>
    public static bool TryRead(ReadOnlyMemory<byte> bytes, int width, out ImmutableArray<ReadOnlyMemory<byte>> entries)
    {
        var found = ImmutableArray.CreateBuilder<ReadOnlyMemory<byte>>();
        while (found.Count < width && bytes.Length >= 2
            && BinaryPrimitives.ReadUInt16BigEndian(bytes.Span) is var length && length <= bytes.Length - 2)
        {
            found.Add(bytes.Slice(2, length));
            bytes = bytes[(2 + length)..];
        }

        var isWhole = bytes.IsEmpty && found.Count == width && width is >= 1 and <= Width;
        entries = isWhole ? found.ToImmutable() : [];
        return isWhole;
    }
}
