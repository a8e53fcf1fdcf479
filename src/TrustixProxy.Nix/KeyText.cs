namespace TrustixProxy.Nix;

/// <summary>Why a text is not a key.</summary>
public enum NixKeyError
{
    /// <summary>The text is valid.</summary>
    None,

    /// <summary>No colon between the name and the key.</summary>
    NoColon,

    /// <summary>The name is empty, longer than 255 characters, or has white space or control characters.</summary>
    Name,

    /// <summary>The part after the colon is not base 64 of the right length (32 bytes for a public key, 64 for a secret one).</summary>
    Bytes,

    /// <summary>A public key that is all zero, of small order, or not canonical: see <see cref="Native.Ed25519PublicKey"/>.</summary>
    Weak,

    /// <summary>A secret key whose second half is not the public key of its first half.</summary>
    Halves,
}

/// <summary>Parses <c>name:base64</c>, the form of Nix's keys and signatures.</summary>
internal static class KeyText
{
    public static bool TryParse(
        ReadOnlySpan<char> text, int size, [NotNullWhen(true)] out string? name, [NotNullWhen(true)] out byte[]? bytes,
            out NixKeyError error)
    {
        (name, bytes) = (null, null);
        var colon = text.IndexOf(':');
        error = colon < 0 ? NixKeyError.NoColon : IsName(text[..colon]) ? NixKeyError.None : NixKeyError.Name;
        if (error is NixKeyError.None && !TryDecode(text[(colon + 1)..], size, out bytes))
        {
            error = NixKeyError.Bytes;
        }

        name = error is NixKeyError.None ? text[..colon].ToString() : null;
        return name is not null && bytes is not null;
    }

    public static bool IsName(ReadOnlySpan<char> name) =>
        name.Length is > 0 and <= 255 && !name.Contains(':') && !name.ContainsAnyExceptInRange('!', '~');

    private static bool TryDecode(ReadOnlySpan<char> digits, int size, [NotNullWhen(true)] out byte[]? bytes)
    {
        bytes = null;
        if (digits.Length != (size + 2) / 3 * 4)
        {
            return false;
        }

        var decoded = new byte[size];
        if (Convert.TryFromBase64Chars(digits, decoded, out var written) && written == size
            && digits.SequenceEqual(Convert.ToBase64String(decoded)))
        {
            bytes = decoded;
        }

        return bytes is not null;
    }
}
