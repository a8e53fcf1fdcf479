namespace TrustixProxy.Nars;

/// <summary>Bounds how much of a file may be sent before its verdict. The last buffer of decoded bytes is held back, and all of a smaller
/// NAR.</summary>
/// <remarks>The bound counts decoded bytes, so padding with empty compressed streams gains an attacker nothing.</remarks>
internal static class ReleaseBound
{
    /// <summary>Number of decoded bytes held back until the verdict.</summary>
    public const int Buffer = 256 << 10;

    /// <summary>Number of bytes held back at the end of a file with a promised length: a truncated file must not look complete.</summary>
    private const int Tail = 64 << 10;

    /// <summary>Returns how many bytes of an uncompressed file may be sent, after this many were checked.</summary>
    public static long Of(long size, long verified) => Math.Clamp(size - Buffer, 0, verified);

    /// <summary>Whether a compressed file may be sent up to the point where this many NAR bytes were decoded and checked.</summary>
    public static bool Allows(long narSize, long decoded) => narSize > Buffer && decoded <= narSize - Buffer;

    /// <summary>Limits the bytes that may be sent of a file with a promised length; null promises none.</summary>
    public static long Within(long? length, long released) => length is { } promised ? Math.Min(released, promised - Tail) : released;

    /// <summary>Limits the bytes that may be sent of a requested range: the last buffer of a bounded range also waits for the
    /// verdict.</summary>
    public static long For(ByteRange range, long released) => range == ByteRange.All ? released : Math.Min(released, range.End - Buffer);
}
