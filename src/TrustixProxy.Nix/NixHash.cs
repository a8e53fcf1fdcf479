namespace TrustixProxy.Nix;

/// <summary>The hash algorithms that Nix names in store paths, narinfos and content addresses.</summary>
public enum NixHashAlgorithm
{
    /// <summary>16 bytes; only in old content addresses.</summary>
    Md5,

    /// <summary>20 bytes; only in old content addresses.</summary>
    Sha1,

    /// <summary>32 bytes; every NAR hash.</summary>
    Sha256,

    /// <summary>64 bytes.</summary>
    Sha512,
}

/// <summary>Why a text is not a hash.</summary>
public enum NixHashError
{
    /// <summary>The text is valid.</summary>
    None,

    /// <summary>Neither <c>:</c> nor <c>-</c> follows the algorithm.</summary>
    NoAlgorithm,

    /// <summary>The algorithm is not md5, sha1, sha256 or sha512.</summary>
    UnknownAlgorithm,

    /// <summary>The number of digits fits no encoding of that algorithm.</summary>
    Length,

    /// <summary>A digit is not in the encoding's alphabet, or surplus bits are set.</summary>
    Digit,
}

/// <summary>A hash as Nix writes it: an algorithm and its bytes. Equal when both are, whatever the encoding was.</summary>
/// <remarks>Source: nix <c>src/libutil/hash.cc</c>, <c>Hash::parseAnyPrefixed</c>.</remarks>
public sealed record NixHash
{
    private static readonly (string Name, int Size)[] Algorithms = [("md5", 16), ("sha1", 20), ("sha256", 32), ("sha512", 64)];

    private readonly byte[] _bytes;

    private NixHash(NixHashAlgorithm algorithm, byte[] bytes)
    {
        (Algorithm, _bytes) = (algorithm, bytes);
        Digits = Nix32.Encode(bytes);
    }

    /// <summary>The hash algorithm.</summary>
    public NixHashAlgorithm Algorithm { get; }

    /// <summary>The bytes: 16, 20, 32 or 64.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>The bytes in nix32, without the algorithm; 52 characters for SHA-256.</summary>
    public string Digits { get; }

    /// <summary>Creates a SHA-256 hash from these 32 bytes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The length is not 32 bytes.</exception>
    public static NixHash Sha256(ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, 32);
        return new NixHash(NixHashAlgorithm.Sha256, bytes.ToArray());
    }

    /// <summary>Parses exactly <c>algo:base16</c>, <c>algo:nix32</c>, <c>algo:base64</c> (distinguished by length) or SRI
    /// (<c>algo-base64[?options]</c>).</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out NixHash? hash, out NixHashError error)
    {
        hash = null;
        var mark = text.IndexOfAny(':', '-');
        if (mark < 0)
        {
            error = NixHashError.NoAlgorithm;
            return false;
        }

        if (!TryParseAlgorithm(text[..mark], out var algorithm))
        {
            error = NixHashError.UnknownAlgorithm;
            return false;
        }

        return text[mark] is ':'
            ? TryParseDigits(algorithm, text[(mark + 1)..], out hash, out error)
            : TryParseBase64(algorithm, WithoutOptions(text[(mark + 1)..]), paddingOptional: true, out hash, out error);
    }

    /// <summary>Removes the options of SRI, which begin with a question mark; Nix ignores them.</summary>
    private static ReadOnlySpan<char> WithoutOptions(ReadOnlySpan<char> digits) =>
        digits.IndexOf('?') is >= 0 and var mark ? digits[..mark] : digits;

    /// <summary>Parses the name of an algorithm.</summary>
    public static bool TryParseAlgorithm(ReadOnlySpan<char> text, out NixHashAlgorithm algorithm)
    {
        for (algorithm = NixHashAlgorithm.Md5; algorithm <= NixHashAlgorithm.Sha512; algorithm++)
        {
            if (text.SequenceEqual(Algorithms[(int)algorithm].Name))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Parses digits whose algorithm is known: base 16, nix32 or base 64, distinguished by length.</summary>
    public static bool TryParseDigits(
        NixHashAlgorithm algorithm, ReadOnlySpan<char> digits, [NotNullWhen(true)] out NixHash? hash, out NixHashError error)
    {
        hash = null;
        var bytes = new byte[Algorithms[(int)algorithm].Size];
        if (digits.Length == Nix32.EncodedLength(bytes.Length))
        {
            error = Nix32.TryDecode(digits, bytes) ? NixHashError.None : NixHashError.Digit;
        }
        else if (digits.Length == bytes.Length * 2)
        {
            var status = Convert.FromHexString(digits, bytes, out _, out _);
            error = status is System.Buffers.OperationStatus.Done ? NixHashError.None : NixHashError.Digit;
        }
        else
        {
            return TryParseBase64(algorithm, digits, paddingOptional: false, out hash, out error);
        }

        hash = error is NixHashError.None ? new NixHash(algorithm, bytes) : null;
        return hash is not null;
    }

    /// <summary>Returns <c>algo:nix32</c>, the form that Nix signs.</summary>
    public override string ToString() => $"{AlgorithmName}:{Digits}";

    /// <summary>Returns <c>algo:base16</c> in lower case, the form that store paths are made from.</summary>
    public string ToBase16() => $"{AlgorithmName}:{Convert.ToHexStringLower(_bytes)}";

    /// <summary>Returns <c>algo-base64</c>, the form that <c>nix path-info --json</c> writes.</summary>
    public string ToSri() => $"{AlgorithmName}-{Convert.ToBase64String(_bytes)}";

    /// <inheritdoc/>
    public bool Equals(NixHash? other) => other is not null && Algorithm == other.Algorithm && Bytes.SequenceEqual(other.Bytes);

    /// <inheritdoc/>
    public override int GetHashCode() => BitConverter.ToInt32(_bytes);

    /// <summary>The algorithm's name in Nix.</summary>
    public string AlgorithmName => Algorithms[(int)Algorithm].Name;

    private static bool TryParseBase64(
        NixHashAlgorithm algorithm, ReadOnlySpan<char> digits, bool paddingOptional, [NotNullWhen(true)] out NixHash? hash,
            out NixHashError error)
    {
        hash = null;
        var bytes = new byte[Algorithms[(int)algorithm].Size];
        var padded = (bytes.Length + 2) / 3 * 4;
        var bare = ((bytes.Length * 4) + 2) / 3;
        if (digits.Length != padded && !(paddingOptional && digits.Length == bare))
        {
            error = NixHashError.Length;
            return false;
        }

        var text = digits.ToString().PadRight(padded, '=');
        error = Convert.TryFromBase64String(text, bytes, out var written) && written == bytes.Length
            && Convert.ToBase64String(bytes) == text
            ? NixHashError.None
            : NixHashError.Digit;
        hash = error is NixHashError.None ? new NixHash(algorithm, bytes) : null;
        return hash is not null;
    }
}
