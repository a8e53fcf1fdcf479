namespace TrustixProxy.Nars;

/// <summary>How far a file may be released to clients before its verdict: the last buffer of decoded bytes stays here, and all of a NAR
/// that fits into it.</summary>
/// <remarks>It counts decoded bytes, so padding with empty compressed streams gains an upstream nothing.</remarks>
internal static class ReleaseBound
{
    /// <summary>How many decoded bytes are withheld until the verdict.</summary>
    public const int Buffer = 256 << 10;

    /// <summary>How many bytes of a file with a promised length are withheld at its end: a file that is cut short must not look
    /// whole.</summary>
    private const int Tail = 64 << 10;

    /// <summary>How many bytes of a file may leave of which this many were checked.</summary>
    public static long Of(long size, long verified) => Math.Clamp(size - Buffer, 0, verified);

    /// <summary>Whether a compressed file may leave up to the place where so many bytes of the NAR were decoded and checked.</summary>
    public static bool Allows(long narSize, long decoded) => narSize > Buffer && decoded <= narSize - Buffer;

    /// <summary>How many bytes may leave of a file whose length the client was promised; null where none was.</summary>
    public static long Within(long? length, long released) => length is { } promised ? Math.Min(released, promised - Tail) : released;

    /// <summary>How many bytes may leave for a client that asked for a range: the last buffer of a bounded range waits for the verdict
    /// too.</summary>
    public static long For(ByteRange range, long released) => range == ByteRange.All ? released : Math.Min(released, range.End - Buffer);
}
