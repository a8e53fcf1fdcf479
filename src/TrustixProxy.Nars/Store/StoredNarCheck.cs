using System.Security.Cryptography;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Store;

/// <summary>Checks a stored file against its name, from the first byte to the last.</summary>
internal static class StoredNarCheck
{
    private const int BufferSize = 128 << 10;

    /// <summary>Returns why the file does not match its name; null when it does.</summary>
    /// <param name="isKnown">Whether a file with this hash is known to hold the NAR; then it is not decompressed.</param>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static async Task<NarFault?> RunAsync(string path, StoredNar nar, bool isKnown, CancellationToken cancellation)
    {
        await using var file = new FileStream(
            path, new FileStreamOptions { BufferSize = BufferSize, Options = FileOptions.SequentialScan });
        if (nar.Compression is not NarCompression.None)
        {
            if (NixHash.Sha256(await SHA256.HashDataAsync(file, cancellation)) != nar.FileHash)
            {
                return NarFault.FileHash;
            }

            if (isKnown)
            {
                return null;
            }

            file.Position = 0;
        }

        return await new NarCheck(nar.NarHash, nar.NarSize).TakeAsync(file, nar.Compression, cancellation);
    }
}
