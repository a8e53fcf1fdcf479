using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace TrustixProxy.Benchmarks;

/// <summary>Ed25519 by libcrypto's EVP functions, as the program had it before NSec: what the benchmark compares with. A key is imported
/// once.</summary>
internal sealed partial class EvpKey : SafeHandle
{
    private const string Crypto = "libcrypto.so.3";
    private const int Ed25519 = 1087; // NID_ED25519, obj_mac.h
    private const int SignatureSize = 64;

    public EvpKey()
        : base(0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle is 0;

    public static EvpKey Private(ReadOnlySpan<byte> seed) => Checked(NewRawPrivateKey(Ed25519, 0, seed, (nuint)seed.Length));

    public static EvpKey Public(ReadOnlySpan<byte> key) => Checked(NewRawPublicKey(Ed25519, 0, key, (nuint)key.Length));

    public byte[] Sign(ReadOnlySpan<byte> message)
    {
        var signature = new byte[SignatureSize];
        using var context = NewContext();
        nuint length = SignatureSize;
        return SignInit(context, 0, 0, 0, this) is 1 && Sign(context, signature, ref length, message, (nuint)message.Length) is 1
            ? signature
            : throw new CryptographicException("libcrypto could not sign");
    }

    public bool Verify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        using var context = NewContext();
        try
        {
            return VerifyInit(context, 0, 0, 0, this) is 1
                && Verify(context, signature, (nuint)signature.Length, message, (nuint)message.Length) is 1;
        }
        finally
        {
            ClearErrors();
        }
    }

    protected override bool ReleaseHandle()
    {
        FreeKey(handle);
        return true;
    }

    private static EvpKey Checked(EvpKey key) =>
        key.IsInvalid ? throw new CryptographicException("libcrypto could not import the key") : key;

    [LibraryImport(Crypto, EntryPoint = "EVP_PKEY_new_raw_public_key")]
    private static partial EvpKey NewRawPublicKey(int type, nint engine, ReadOnlySpan<byte> key, nuint length);

    [LibraryImport(Crypto, EntryPoint = "EVP_PKEY_new_raw_private_key")]
    private static partial EvpKey NewRawPrivateKey(int type, nint engine, ReadOnlySpan<byte> key, nuint length);

    [LibraryImport(Crypto, EntryPoint = "EVP_PKEY_free")]
    private static partial void FreeKey(nint key);

    [LibraryImport(Crypto, EntryPoint = "EVP_MD_CTX_new")]
    private static partial Context NewContext();

    [LibraryImport(Crypto, EntryPoint = "EVP_MD_CTX_free")]
    private static partial void FreeContext(nint context);

    [LibraryImport(Crypto, EntryPoint = "EVP_DigestSignInit")]
    private static partial int SignInit(Context context, nint keyContext, nint digest, nint engine, EvpKey key);

    [LibraryImport(Crypto, EntryPoint = "EVP_DigestSign")]
    private static partial int Sign(
        Context context, Span<byte> signature, ref nuint length, ReadOnlySpan<byte> message, nuint messageLength);

    [LibraryImport(Crypto, EntryPoint = "EVP_DigestVerifyInit")]
    private static partial int VerifyInit(Context context, nint keyContext, nint digest, nint engine, EvpKey key);

    [LibraryImport(Crypto, EntryPoint = "EVP_DigestVerify")]
    private static partial int Verify(
        Context context, ReadOnlySpan<byte> signature, nuint length, ReadOnlySpan<byte> message, nuint messageLength);

    [LibraryImport(Crypto, EntryPoint = "ERR_clear_error")]
    private static partial void ClearErrors();

    /// <summary>One signature or verification in progress.</summary>
    private sealed class Context() : SafeHandle(0, ownsHandle: true)
    {
        public override bool IsInvalid => handle is 0;

        protected override bool ReleaseHandle()
        {
            FreeContext(handle);
            return true;
        }
    }
}
