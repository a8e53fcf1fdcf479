using System.Buffers.Binary;
using Google.Protobuf;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.TransparencyLog;

/// <summary>The layout of a log as append-only static files: <c>log export</c> writes them, any web server serves them, <c>log import</c>
/// and mirrors read them.</summary>
/// <remarks>
/// Follows C2SP tlog-tiles (c2sp.org/tlog-tiles) where Trustix's logs resemble those it was made for. Numbers are big-endian. N counts
/// from 0, in groups of three digits, all but the last prefixed by x: 1234067 is <c>x001/x234/067</c>. A partial file of W records is
/// <c>N.p/W</c>; it is deleted once the full file exists, or by the second export after.
/// <code>
/// log.json                  {"version":1,"logId":"…","publicKey":"…"}
/// head                      the newest signed head, a LogHead message: written after all tiles under it
/// tile/L/N                  256 hashes of 32 bytes: leaves for level 0, above it roots of full tiles below (as tlog-tiles)
/// tile/entries/N            256 entries, each: length of the key (2 bytes), key, length of the value (4 bytes), value
/// tile/heads/N              256 heads, each: length (2 bytes), LogHead message, unsigned time of signing (8 bytes, ms since 1970)
/// tile/conflicts/N          256 conflicts, each: length (4 bytes), Conflict message (Wire/lookup.proto)
/// </code>
/// A log with an origin is exported in version 2, which every C2SP client reads. It differs in:
/// <code>
/// log.json                  {"version":2,"logId":"…","publicKey":"…","origin":"…"}
/// tile/entries/N            256 entries, each: length (2 bytes), key, colon, SHA-256 of the value
/// tile/values/N             their values, each: length (4 bytes), value
/// mapheads/tile/L/N         the hashes of the map-head log
/// mapheads/tile/entries/N   its 256 entries, each: length (2 bytes), map root
/// mapheads/checkpoint, checkpoint   the signed notes of the newest head: written after it
/// </code>
/// To verify: the head's signature; the leaves' root against it; each head's map root, from the entries up to its size, and the tree over
/// those map roots (the map-head log).
/// </remarks>
public static class ArchiveLayout
{
    /// <summary>Names of the files and folders.</summary>
    public const string Description = "log.json", Head = "head", Entries = "tile/entries", Heads = "tile/heads",
        Conflicts = "tile/conflicts", Values = "tile/values", MapHeads = "mapheads/", Checkpoint = "checkpoint";

    /// <summary>Number of records in a full file.</summary>
    public const int Width = 256;

    /// <summary>Maximum size of one file, in bytes: 256 of the longest entries.</summary>
    public const long MaxFile = Width * (long)(WireMessage.MaxKey + WireMessage.MaxValue + 6);

    /// <summary>Returns the folder of a level of hashes.</summary>
    public static string Level(int level) => $"tile/{level}";

    /// <summary>Returns the name of file <paramref name="index"/> of <paramref name="folder"/> with <paramref name="width"/>
    /// records.</summary>
    public static string FileName(string folder, long index, int width)
    {
        var name = $"{index % 1000:000}";
        while ((index /= 1000) > 0)
        {
            name = $"x{index % 1000:000}/{name}";
        }

        return width is Width ? $"{folder}/{name}" : $"{folder}/{name}.p/{width}";
    }

    /// <summary>Encodes an entry's record.</summary>
    public static byte[] Encode(byte[] key, byte[] value)
    {
        var bytes = new byte[2 + key.Length + 4 + value.Length];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, (ushort)key.Length);
        key.CopyTo(bytes, 2);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(2 + key.Length), value.Length);
        value.CopyTo(bytes, 2 + key.Length + 4);
        return bytes;
    }

    /// <summary>Encodes values' records, each its length (4 bytes) and the value.</summary>
    public static byte[] EncodeValues(IReadOnlyCollection<byte[]> values)
    {
        var (bytes, at) = (new byte[values.Sum(value => 4 + value.Length)], 0);
        foreach (var value in values)
        {
            BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(at), value.Length);
            value.CopyTo(bytes, at + 4);
            at += 4 + value.Length;
        }

        return bytes;
    }

    /// <summary>Encodes a head's record.</summary>
    /// <param name="head">The head.</param>
    /// <param name="signedAt">Time of signing, in milliseconds since 1970.</param>
    public static byte[] Encode(LogHead head, long signedAt)
    {
        var message = head.ToByteArray();
        var bytes = new byte[2 + message.Length + 8];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, (ushort)message.Length);
        message.CopyTo(bytes, 2);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(2 + message.Length), signedAt);
        return bytes;
    }

    /// <summary>Encodes a conflict's record.</summary>
    public static byte[] Encode(Conflict conflict)
    {
        var message = conflict.ToByteArray();
        var length = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, message.Length);
        return [.. length, .. message];
    }

    /// <summary>Decodes the entries of a file.</summary>
    /// <exception cref="InvalidDataException">The bytes are not entries.</exception>
    public static IEnumerable<(byte[] Key, byte[] Value)> DecodeEntries(byte[] bytes)
    {
        var at = 0;
        while (at < bytes.Length)
        {
            var key = Take(bytes, ref at, (int)Number(bytes, ref at, 2));
            yield return (key, Take(bytes, ref at, Number(bytes, ref at, 4)));
        }
    }

    /// <summary>Decodes the entries of a file of version 2.</summary>
    /// <exception cref="InvalidDataException">The bytes are not entries of a log of ours.</exception>
    public static IEnumerable<(byte[] Key, Digest ValueDigest)> DecodeLeaves(byte[] bytes)
    {
        var at = 0;
        while (at < bytes.Length)
        {
            var entry = Take(bytes, ref at, Number(bytes, ref at, 2));
            var key = entry.Length - Digest.Size - 1;
            yield return key >= 0 && entry[key] is (byte)':' ? (entry[..key], new Digest(entry.AsSpan(key + 1)))
                : throw new InvalidDataException("holds an entry that is not a key, a colon and the SHA-256 of a value");
        }
    }

    /// <summary>Decodes the hashes of a file.</summary>
    /// <exception cref="InvalidDataException">The bytes are not hashes.</exception>
    public static IEnumerable<Digest> DecodeHashes(byte[] bytes) =>
        bytes.Length % Digest.Size is 0 ? bytes.Chunk(Digest.Size).Select(hash => new Digest(hash))
            : throw new InvalidDataException("is cut short, or not what its name says");

    /// <summary>Decodes the values of a file.</summary>
    /// <exception cref="InvalidDataException">The bytes are not values.</exception>
    public static IEnumerable<byte[]> DecodeValues(byte[] bytes)
    {
        var at = 0;
        while (at < bytes.Length)
        {
            yield return Take(bytes, ref at, Number(bytes, ref at, 4));
        }
    }

    /// <summary>Decodes the heads of a file, each with its time of signing.</summary>
    /// <exception cref="InvalidDataException">The bytes are not heads.</exception>
    public static IEnumerable<(LogHead Head, long SignedAt)> DecodeHeads(byte[] bytes)
    {
        var at = 0;
        while (at < bytes.Length)
        {
            var message = Parse(LogHead.Parser, Take(bytes, ref at, Number(bytes, ref at, 2)));
            yield return (message, Number(bytes, ref at, 8));
        }
    }

    /// <summary>Decodes the conflicts of a file.</summary>
    /// <exception cref="InvalidDataException">The bytes are not conflicts.</exception>
    public static IEnumerable<Conflict> DecodeConflicts(byte[] bytes)
    {
        var at = 0;
        while (at < bytes.Length)
        {
            yield return Parse(Conflict.Parser, Take(bytes, ref at, Number(bytes, ref at, 4)));
        }
    }

    /// <summary>Parses one message.</summary>
    /// <exception cref="InvalidDataException">The bytes are not such a message.</exception>
    public static T Parse<T>(MessageParser<T> parser, byte[] bytes)
        where T : class, IMessage<T> =>
        WireMessage.TryParse(parser, bytes, out var message) ? message
            : throw new InvalidDataException($"holds no {typeof(T).Name} message where one should be");

    private static long Number(byte[] bytes, ref int at, int size)
    {
        var number = 0L;
        foreach (var part in Take(bytes, ref at, size))
        {
            number = (number << 8) | part;
        }

        return number;
    }

    private static byte[] Take(byte[] bytes, ref int at, long length)
    {
        if (length < 0 || length > bytes.Length - at)
        {
            throw new InvalidDataException("is cut short, or not what its name says");
        }

        at += (int)length;
        return bytes[(at - (int)length)..at];
    }
}
