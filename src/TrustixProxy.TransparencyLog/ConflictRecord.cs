using System.Buffers.Binary;
using System.Text;

namespace TrustixProxy.TransparencyLog;

/// <summary>That a second, different value was submitted for a key which the log has already: what its signature is made over.</summary>
/// <param name="Key">The key.</param>
/// <param name="Index">Leaf of the log that holds it.</param>
/// <param name="ValueDigest">SHA-256 of the value that the log holds.</param>
/// <param name="OtherDigest">SHA-256 of the value that came later.</param>
/// <param name="SeenAt">When that was, in milliseconds since 1970.</param>
/// <remarks>The text begins with words of its own and is longer than 32 bytes, so it can never pass for a head's. Source:
/// <c>Wire/lookup.proto</c>, <c>Conflict</c>.</remarks>
public sealed record ConflictRecord(byte[] Key, long Index, Digest ValueDigest, Digest OtherDigest, long SeenAt)
{
    /// <summary>The text that a log signs.</summary>
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
