using System.Collections.Immutable;
using System.Text;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Composition;

namespace TrustixProxy.Substituter.Inspection;

/// <summary>A key that a client of GNU Guix believes alone.</summary>
/// <param name="Key">The key, on one line.</param>
/// <param name="Owner">The cache of the configuration that signs with it; null for a stranger.</param>
public sealed record BypassingKey(string Key, string? Owner);

/// <summary>What the access control list of a client of GNU Guix says of the vote. Guix believes each key in it alone, so any key but the
/// proxy's bypasses the vote.</summary>
/// <param name="File">The file.</param>
/// <param name="IsProxyBelieved">Whether the proxy's own key is in it.</param>
/// <param name="ProxyKey">The key that it should hold alone.</param>
/// <param name="Bypassing">All keys but the proxy's, its previous ones and those that report mode needs.</param>
/// <param name="OfFallback">Keys of report mode's fallback, whose signatures clients get until the vote is enforced.</param>
public sealed record ClientAcl(
    string File, bool IsProxyBelieved, string ProxyKey, IReadOnlyList<BypassingKey> Bypassing, IReadOnlyList<string> OfFallback)
{
    /// <summary>Where Guix keeps it.</summary>
    public const string DefaultFile = "/etc/guix/acl";

    /// <summary>Whether the proxy's key, and no other, decides what clients install.</summary>
    public bool IsWell => IsProxyBelieved && Bypassing.Count is 0;

    /// <summary>Reads a file.</summary>
    /// <param name="options">The proxy's configuration, of Guix's store.</param>
    /// <exception cref="IOException">The file cannot be read, or is not such a list.</exception>
    /// <exception cref="UnauthorizedAccessException">The file cannot be read.</exception>
    public static ClientAcl Read(string file, SubstituterOptions options)
    {
        if (!GuixAcl.TryParse(ReadText(file), out var keys, out var error))
        {
            throw new IOException(error switch
            {
                GuixAclError.TooLarge => $"it has more than {SExpression.MaxSize >> 10} KiB.",
                GuixAclError.Entry => "it has an entry that is not (entry (public-key …) (tag (guix import))). Guix itself refuses such a "
                    + "file: write it anew with printf '(acl)' and guix archive --authorize.",
                _ => "it is not one (acl …), as guix archive --authorize writes it.",
            });
        }

        var own = GuixSecretKey.Of(options.SigningKey).PublicKey;
        string[] ours = [$"{own}", .. options.PreviousSigningKeys.Select(key => $"{GuixSecretKey.Of(key).PublicKey}")];
        var others = keys.Except(ours).ToList();
        var owners = options.Caches.SelectMany(cache => cache.Elector.Keys.Select(key => (Key: $"{key}", cache.Elector.Name)))
            .ToLookup(item => item.Key, item => item.Name);
        var fallback = others.Where(key => owners[key].Contains(options.Policy.Fallback)).ToImmutableArray();
        return new ClientAcl(file, keys.Contains(ours[0]), ours[0],
            [.. others.Except(fallback).Select(key => new BypassingKey(key, owners[key].FirstOrDefault()))], fallback);
    }

    private static string ReadText(string file)
    {
        using var stream = System.IO.File.OpenRead(file);
        var buffer = new byte[SExpression.MaxSize + 1]; // a device has no end
        return Encoding.Latin1.GetString(buffer, 0, stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false));
    }
}
