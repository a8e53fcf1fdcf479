using System.Globalization;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Store;

/// <summary>A file of the NAR store, identified by its required contents. Its name holds all metadata: the folder is the index, so no crash
/// can make them differ.</summary>
/// <param name="Path">The NAR's store path.</param>
/// <param name="NarHash">SHA-256 of the uncompressed NAR.</param>
/// <param name="NarSize">Length of the uncompressed NAR in bytes.</param>
/// <param name="FileHash">SHA-256 of the file; the NAR hash when uncompressed.</param>
/// <param name="Compression">The file's compression.</param>
/// <remarks><c>digest-name/narhash-narsize-filehash.nar[.xz|.zst|.bz2|.br|.gz]</c>, hashes in nix32.</remarks>
public sealed record StoredNar(StorePath Path, NixHash NarHash, long NarSize, NixHash FileHash, string Compression)
{
    private const string Extension = ".nar";

    /// <summary>The file's name within the folder of its path.</summary>
    public string FileName =>
        string.Create(
        CultureInfo.InvariantCulture, $"{NarHash.Digits}-{NarSize}-{FileHash.Digits}{Extension}{NarCompression.SuffixOf(Compression)}");

    /// <summary>Returns the stored file that matches an order.</summary>
    public static StoredNar Of(NarOrder order) =>
        new(order.Claim.Path, order.Claim.NarHash, order.Claim.NarSize, order.FileHash, order.Compression);

    /// <summary>Parses exactly what <see cref="FileName"/> writes.</summary>
    public static bool TryParse(StorePath path, string fileName, [NotNullWhen(true)] out StoredNar? nar)
    {
        nar = null;
        var dot = fileName.IndexOf(Extension, StringComparison.Ordinal);
        if (dot > 0 && fileName[..dot].Split('-') is [var narHash, var narSize, var fileHash]
            && NixHash.TryParseDigits(NixHashAlgorithm.Sha256, narHash, out var ofNar, out _)
            && NixHash.TryParseDigits(NixHashAlgorithm.Sha256, fileHash, out var ofFile, out _)
            && long.TryParse(narSize, NumberStyles.None, CultureInfo.InvariantCulture, out var size) && size > 0
            && NarCompression.OfSuffix(fileName[(dot + Extension.Length)..]) is { } compression
            && (compression is not NarCompression.None || ofFile == ofNar))
        {
            nar = new StoredNar(path, ofNar, size, ofFile, compression);
        }

        return nar is not null && nar.FileName == fileName;
    }

    public override string ToString() => $"{Path}/{FileName}";
}
