using TrustixProxy.Native;

namespace TrustixProxy.Nix;

/// <summary>A <c>Sig:</c> line: a key's name and its Ed25519 signature of a fingerprint. Well formed;
/// <see cref="NixPublicKey.Verify(string, NixSignature)"/> checks whether it is valid.</summary>
/// <remarks>A line whose signature is not 64 bytes makes Nix up to 2.33 fail the whole query, so such a line is never passed on. Source:
/// nix <c>local-keys.cc</c>.</remarks>
public sealed record NixSignature : CacheSignature
{
    private readonly byte[] _bytes;

    internal NixSignature(string keyName, byte[] bytes) => (KeyName, _bytes) = (keyName, bytes);

    /// <summary>The name of the key; not empty, no colon, no white space.</summary>
    public override string KeyName { get; }

    /// <summary>The signature: 64 bytes.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>Parses exactly <c>name:base64</c>.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out NixSignature? signature)
    {
        signature = KeyText.TryParse(text, Ed25519PublicKey.SignatureSize, out var name, out var bytes, out _)
            ? new NixSignature(name, bytes)
            : null;
        return signature is not null;
    }

    /// <summary>Parses a narinfo's <c>Sig</c> as Nix does: padding is optional, and what follows it is ignored.</summary>
    public static bool TryParseLine(string text, [NotNullWhen(true)] out NixSignature? signature)
    {
        var start = text.IndexOf(':') + 1;
        var digits = text[start..].Split('=')[0];
        var bytes = new byte[Ed25519PublicKey.SignatureSize];
        var isWhole = start > 0 && Convert.TryFromBase64String($"{digits}==", bytes, out var count) && count == bytes.Length;
        return TryParse(isWhole ? $"{text[..start]}{Convert.ToBase64String(bytes)}" : text, out signature);
    }

    /// <inheritdoc/>
    public bool Equals(NixSignature? other) => other is not null && KeyName == other.KeyName && Bytes.SequenceEqual(other.Bytes);

    /// <inheritdoc/>
    public override int GetHashCode() => BitConverter.ToInt32(_bytes);

    /// <summary>Returns <c>name:base64</c>.</summary>
    public override string ToString() => $"{KeyName}:{Convert.ToBase64String(_bytes)}";
}
