using System.Buffers.Binary;
using System.Text;

namespace TrustixProxy.TransparencyLog;

/// <summary>Records that a second, different value was submitted for a key already in the log; the log signs this record.</summary>
/// <param name="Key">The key.</param>
/// <param name="Index">Index of the log's leaf for the key.</param>
/// <param name="ValueDigest">SHA-256 of the value in the log.</param>
/// <param name="OtherDigest">SHA-256 of the later value.</param>
/// <param name="SeenAt">Time of the later submission, in milliseconds since 1970.</param>
/// <remarks>The signed text has its own prefix and is longer than 32 bytes, so it can never pass for a head's. Source:
/// <c>Wire/lookup.proto</c>, <c>Conflict</c>.</remarks>
public sealed record ConflictRecord(byte[] Key, long Index, Digest ValueDigest, Digest OtherDigest, long SeenAt)
{
    /// <summary>Returns the text that a log signs.</summary>
    /// <param name="logId">The log's id: 64 hexadecimal digits.</param>
    internal byte[] SigningText(string logId)
    {
        var numbers = new byte[16];
        BinaryPrimitives.WriteInt64LittleEndian(numbers, Index);
        BinaryPrimitives.WriteInt64LittleEndian(numbers.AsSpan(8), SeenAt);
        return [.. Encoding.ASCII.GetBytes($"trustix-proxy conflict v1\n{logId}"), .. numbers, .. ValueDigest.ToArray(),
            .. OtherDigest.ToArray(), .. Key];
    }
}
