using TrustixProxy.Nars;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>URL of a NAR. It contains the expected hashes, so equal URLs always give equal bytes.</summary>
/// <param name="Path">Digest of the store path.</param>
/// <param name="NarHash">SHA-256 of the uncompressed NAR.</param>
/// <param name="FileHash">SHA-256 of the served bytes; the NAR hash if uncompressed.</param>
/// <param name="Compression">Compression of the served bytes.</param>
/// <remarks><c>nar/digest/narhash/filehash.nar[.xz|.zst|.bz2|.br|.gz]</c>, hashes in nix32.</remarks>
internal sealed record NarUrl(StorePathDigest Path, NixHash NarHash, NixHash FileHash, string Compression)
{
    private const string Prefix = "nar/", Extension = ".nar";

    /// <summary>Parses exactly the output of <see cref="ToString"/>.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out NarUrl? url)
    {
        url = null;
        Span<Range> parts = stackalloc Range[4];
        if (!text.StartsWith(Prefix) || text[Prefix.Length..].Split(parts, '/') is not 3)
        {
            return false;
        }

        var rest = text[Prefix.Length..];
        var file = rest[parts[2]];
        var dot = file.IndexOf(Extension);
        if (dot > 0
            && StorePathDigest.TryParse(rest[parts[0]], out var path)
            && TryParseHash(rest[parts[1]], out var narHash)
            && TryParseHash(file[..dot], out var fileHash)
            && NarCompression.OfSuffix(file[(dot + Extension.Length)..].ToString()) is { } compression)
        {
            url = new NarUrl(path, narHash, fileHash, compression);
        }

        return url is not null && text.SequenceEqual(url.ToString())
            && (url.Compression is not NarCompression.None || url.FileHash == url.NarHash);
    }

    public override string ToString() =>
        $"{Prefix}{Path}/{NarHash.Digits}/{FileHash.Digits}{Extension}{NarCompression.SuffixOf(Compression)}";

    private static bool TryParseHash(ReadOnlySpan<char> digits, [NotNullWhen(true)] out NixHash? hash) =>
        NixHash.TryParseDigits(NixHashAlgorithm.Sha256, digits, out hash, out _);
}
