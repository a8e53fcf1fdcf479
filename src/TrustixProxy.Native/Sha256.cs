using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace TrustixProxy.Native;

/// <summary>SHA-256 (FIPS 180-4) of short inputs, such as the nodes of a tree, of which one proof takes dozens and one batch of a log tens
/// of thousands.</summary>
/// <remarks>libcrypto's plain functions take 85 ns for 65 bytes where <see cref="SHA256.HashData(ReadOnlySpan{byte}, Span{byte})"/> takes
/// 450, most of it to make and drop a context. Where a libcrypto lacks them, that is used.</remarks>
public static class Sha256
{
    /// <summary>Length of a hash, in bytes.</summary>
    public const int Size = 32;

    /// <summary>Up to this many bytes the call is so short that the garbage collector may wait for it.</summary>
    private const int Short = 2048;

    private const int ContextSize = 112; // SHA256_CTX: the state, a block, and four numbers

    private static readonly bool IsThere = LibCrypto.Has("SHA256_Init") && LibCrypto.Has("SHA256_Update") && LibCrypto.Has("SHA256_Final");

    /// <summary>Writes the hash of <paramref name="data"/> to <paramref name="hash"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="hash"/> is shorter than 32 bytes.</exception>
    public static void Hash(ReadOnlySpan<byte> data, Span<byte> hash)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(hash.Length, Size);
        if (data.Length > Short || !IsThere)
        {
            SHA256.HashData(data, hash);
            return;
        }

        Span<ulong> aligned = stackalloc ulong[ContextSize / sizeof(ulong)];
        var context = MemoryMarshal.AsBytes(aligned);
        LibCrypto.Sha256Init(context);
        LibCrypto.Sha256Update(context, data, (nuint)data.Length);
        LibCrypto.Sha256Final(hash, context);
    }
}
