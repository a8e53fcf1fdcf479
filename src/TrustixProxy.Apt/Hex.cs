using System.Buffers;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Apt;

/// <summary>Reads hexadecimal digits.</summary>
internal static class Hex
{
    /// <summary>Reads exactly as many bytes as fit.</summary>
    public static bool TryRead(ReadOnlySpan<char> digits, Span<byte> bytes) =>
        digits.Length == bytes.Length * 2 && Convert.FromHexString(digits, bytes, out _, out _) is OperationStatus.Done;

    /// <summary>Reads a SHA-256.</summary>
    public static bool TryReadDigest(ReadOnlySpan<char> digits, out Digest digest)
    {
        Span<byte> bytes = stackalloc byte[Digest.Size];
        var isRead = TryRead(digits, bytes);
        digest = isRead ? new Digest(bytes) : default;
        return isRead;
    }
}
