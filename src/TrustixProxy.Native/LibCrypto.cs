using System.Runtime.InteropServices;

namespace TrustixProxy.Native;

/// <summary>Binds the part of OpenSSL's <c>sha.h</c> that SHA-256 needs.</summary>
internal static partial class LibCrypto
{
    static LibCrypto() => NativeLibraries.Register();

    [LibraryImport(NativeLibraries.Crypto, EntryPoint = "SHA256_Init")]
    [SuppressGCTransition]
    public static partial int Sha256Init(Span<byte> context);

    [LibraryImport(NativeLibraries.Crypto, EntryPoint = "SHA256_Update")]
    [SuppressGCTransition]
    public static partial int Sha256Update(Span<byte> context, ReadOnlySpan<byte> data, nuint length);

    [LibraryImport(NativeLibraries.Crypto, EntryPoint = "SHA256_Final")]
    [SuppressGCTransition]
    public static partial int Sha256Final(Span<byte> hash, Span<byte> context);

    /// <summary>Whether the library has this function.</summary>
    public static bool Has(string function) => NativeLibrary.TryGetExport(NativeLibraries.Open(NativeLibraries.Crypto), function, out _);
}
