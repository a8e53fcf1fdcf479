using System.Globalization;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Apt;

/// <summary>What an index says of one package. Nothing in it is trusted: it tells what to ask the rebuilders for.</summary>
/// <param name="File">The package's file.</param>
/// <param name="Version">The whole version, with its epoch.</param>
/// <param name="Path">The file's path in the archive.</param>
/// <param name="Size">Length of the file in bytes; not negative.</param>
/// <param name="Sha256">SHA-256 of the file.</param>
public sealed record DebianPackage(DebFile File, string Version, string Path, long Size, Digest Sha256)
{
    /// <summary>What rebuilders are asked about it.</summary>
    public AskedDeb Asked => new(File, Sha256);

    /// <summary>Reads a stanza's fields.</summary>
    /// <remarks>Its file must be named for its name, version and architecture: the policy goes by the name that is asked for, and no index
    /// can give one package the rule of another.</remarks>
    internal static DebianPackage? Of(PackageFields fields) =>
        ArchivePath.TryClean(fields[PackageField.FileName], out var path)
        && DebFile.TryParse(path[(path.LastIndexOf('/') + 1)..], out var file)
        && file.Name == fields[PackageField.Package] && file.Architecture == fields[PackageField.Architecture]
        && file.IsOfVersion(fields[PackageField.Version])
        && long.TryParse(fields[PackageField.Size], NumberStyles.None, CultureInfo.InvariantCulture, out var size)
        && Hex.TryReadDigest(fields[PackageField.Sha256], out var sha256)
            ? new DebianPackage(file, fields[PackageField.Version], path, size, sha256) : null;
}
