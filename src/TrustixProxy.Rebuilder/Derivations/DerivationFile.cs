using System.Security.Cryptography;
using TrustixProxy.Nix;

namespace TrustixProxy.Rebuilder.Derivations;

/// <summary>A derivation that lies in a file outside the store.</summary>
/// <param name="Path">The store path that its content gives.</param>
/// <param name="Bytes">The file.</param>
/// <param name="Read">What it says.</param>
public sealed record DerivationFile(StorePath Path, byte[] Bytes, Derivation Read)
{
    /// <summary>What it refers to.</summary>
    public IReadOnlyList<StorePath> References => ReferencesOf(Read);

    /// <summary>Reads a file; false, with the reason, when it is not a derivation or is not what its name says.</summary>
    public static bool TryOpen(string file, [NotNullWhen(true)] out DerivationFile? derivation, out string error)
    {
        (derivation, error) = (null, "");
        try
        {
            var bytes = ReadBytes(file);
            var name = System.IO.Path.GetFileName(file);
            var isNamed = StorePath.TryParse(name, out var named, out _);
            if (!DerivationReader.TryRead(bytes, out var read, out var fault))
            {
                error = $"'{file}' is not a derivation that can be rebuilt ({fault})";
            }
            else if (PathOf(isNamed ? named!.Name : name, bytes, read) is not { } path)
            {
                error = $"'{file}' has a name that no store path has";
            }
            else if (isNamed && path != named)
            {
                error = $"'{file}' has other content than its name says: that of {path}";
            }
            else
            {
                derivation = new DerivationFile(path, bytes, read);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            error = $"'{file}' cannot be read: {exception.Message}";
        }

        return derivation is not null;
    }

    /// <summary>The content address of a derivation's bytes.</summary>
    public static ContentAddress AddressOf(ReadOnlySpan<byte> bytes) =>
        ContentAddress.TryParse($"text:{NixHash.Sha256(SHA256.HashData(bytes))}", out var address) ? address
            : throw new InvalidOperationException("a SHA-256 hash makes a content address");

    /// <summary>Reads a derivation's bytes; of a file that is too large, one byte more than a derivation has.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    internal static byte[] ReadBytes(string file)
    {
        using var stream = File.OpenRead(file);
        var buffer = new byte[Derivation.MaxSize + 1];
        return buffer[..stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false)];
    }

    private static StorePath? PathOf(string name, ReadOnlySpan<byte> bytes, Derivation read) =>
        AddressOf(bytes).TryMakePath(name, ReferencesOf(read), self: false, out var path) ? path : null;

    private static List<StorePath> ReferencesOf(Derivation read) =>
        [.. read.Inputs.Select(input => input.Derivation).Concat(read.Sources).Distinct().Order()];
}
