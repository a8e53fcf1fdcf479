using System.Security.Cryptography;
using TrustixProxy.Nix;
using TrustixProxy.Rebuilder.Derivations;

namespace TrustixProxy.Rebuilder.Stores;

/// <summary>A binary cache in a folder that holds one derivation, so that Nix takes it in.</summary>
internal static class DerivationCache
{
    /// <summary>Writes the cache, in place of what the folder held.</summary>
    /// <returns>The folder.</returns>
    public static string Write(string folder, DerivationFile file)
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        Directory.CreateDirectory(folder);
        using var nar = new MemoryStream();
        new NarWriter(nar).File(file.Bytes);
        var bytes = nar.ToArray();
        var narInfo = new NarInfo
        {
            StorePath = file.Path,
            Url = "derivation.nar",
            Compression = "none",
            NarHash = NixHash.Sha256(SHA256.HashData(bytes)),
            NarSize = bytes.Length,
            References = [.. file.References],
            ContentAddress = DerivationFile.AddressOf(file.Bytes),
        };
        File.WriteAllBytes(Path.Combine(folder, "derivation.nar"), bytes);
        File.WriteAllText(Path.Combine(folder, $"{file.Path.Digest}.narinfo"), narInfo.ToString());
        File.WriteAllText(Path.Combine(folder, "nix-cache-info"), $"StoreDir: {Store.Nix.Directory}\n");
        return folder;
    }
}
