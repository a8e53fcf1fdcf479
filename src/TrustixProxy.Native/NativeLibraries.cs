using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace TrustixProxy.Native;

/// <summary>Resolves the C libraries by soname, as the system's own programs do.</summary>
internal static class NativeLibraries
{
    public const string Crypto = "libcrypto";
    public const string Lzma = "liblzma";
    public const string Zstd = "libzstd";
    public const string Bzip2 = "libbz2";
    public const string Zlib = "libz";
    public const string C = "libc";

    private static readonly Dictionary<string, string[]> Names = new()
    {
        [Crypto] = ["libcrypto.so.3", "libcrypto.so"],
        [Lzma] = ["liblzma.so.5", "liblzma.so"],
        [Zstd] = ["libzstd.so.1", "libzstd.so"],
        [Bzip2] = ["libbz2.so.1.0", "libbz2.so.1", "libbz2.so"],
        [Zlib] = ["libz.so.1", "libz.so"],
        [C] = ["libc.so.6", "libc.so"],
    };

    /// <summary>Registers the resolver; each binding's type initialiser calls it before its first import.</summary>
    public static void Register() => _ = Registered.Value;

    private static readonly Lazy<bool> Registered = new(() =>
    {
        NativeLibrary.SetDllImportResolver(typeof(NativeLibraries).Assembly, Resolve);
        return true;
    });

    /// <summary>Returns the library's handle; loads it if needed.</summary>
    public static nint Open(string library) => Resolve(library, typeof(NativeLibraries).Assembly, null);

    private static nint Resolve(string library, Assembly assembly, DllImportSearchPath? path)
    {
        if (!Names.TryGetValue(library, out var names))
        {
            return 0;
        }

        if (library == Crypto)
        {
            // The runtime finds OpenSSL in its own way (NixOS: a patched path). Afterwards the soname alone resolves to the same copy.
            RandomNumberGenerator.GetBytes(1);
        }

        foreach (var name in names)
        {
            if (NativeLibrary.TryLoad(name, assembly, path, out var handle))
            {
                return handle;
            }
        }

        throw new DllNotFoundException(
            $"None of {string.Join(", ", names)} was found. Install its package (Debian: libssl3, liblzma5, libzstd1, "
                + $"libbz2-1.0, zlib1g; Nix: runtimeDeps).");
    }
}
