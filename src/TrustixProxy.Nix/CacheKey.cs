namespace TrustixProxy.Nix;

/// <summary>A public key that a binary cache signs narinfos with: Nix's or GNU Guix's.</summary>
public abstract record CacheKey
{
    private protected CacheKey()
    {
    }

    /// <summary>Bytes that are equal for equal keys only, whatever their names.</summary>
    public abstract ReadOnlySpan<byte> Bytes { get; }

    /// <summary>Returns this key's valid signature on a narinfo; null when there is none.</summary>
    public abstract CacheSignature? FindSignature(NarInfo narInfo);
}
