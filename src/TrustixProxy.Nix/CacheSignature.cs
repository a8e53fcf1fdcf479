namespace TrustixProxy.Nix;

/// <summary>A binary cache's signature of a narinfo: Nix's or GNU Guix's.</summary>
public abstract record CacheSignature
{
    private protected CacheSignature()
    {
    }

    /// <summary>The name of the key, which nothing proves: for GNU Guix the signing host's.</summary>
    public abstract string KeyName { get; }

    /// <summary>Parses exactly the text of <see cref="object.ToString"/>.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out CacheSignature? signature)
    {
        signature = NixSignature.TryParse(text, out var nix) ? nix : GuixSignature.TryParse(text, out var guix) ? guix : null;
        return signature is not null;
    }
}
