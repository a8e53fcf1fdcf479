using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace TrustixProxy.Native;

/// <summary>SHA-256 (FIPS 180-4) for short inputs, such as tree nodes: one proof hashes dozens, one batch of a log tens of
/// thousands.</summary>
/// <remarks>libcrypto's plain functions take 85 ns for 65 bytes; <see cref="SHA256.HashData(ReadOnlySpan{byte}, Span{byte})"/> takes 450,
/// mostly to create and drop a context. It is the fallback when libcrypto lacks them.</remarks>
public static class Sha256
{
    /// <summary>Length of a hash, in bytes.</summary>
    public const int Size = 32;

    /// <summary>Maximum length, in bytes, of a call so short that the garbage collector may wait for it.</summary>
    private const int Short = 2048;

    private const int ContextSize = 112; // SHA256_CTX: the state, a block, and four integers

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
