namespace TrustixProxy.Nix;

/// <summary>The part of a store path by which clients ask a cache: 160 bits as 32 nix32 characters.</summary>
/// <remarks>Source: nix <c>src/libstore/path.cc</c>, <c>StorePath::HashLen</c>.</remarks>
public sealed record StorePathDigest
{
    /// <summary>Number of characters.</summary>
    public const int Length = 32;

    private readonly string _text;

    private StorePathDigest(string text) => _text = text;

    /// <summary>Parses all of <paramref name="text"/>; fails only if it is not 32 characters of nix32.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out StorePathDigest? digest)
    {
        digest = text.Length == Length && !text.ContainsAnyExcept(Nix32.Characters) ? new StorePathDigest(text.ToString()) : null;
        return digest is not null;
    }

    /// <summary>Creates the digest from these 20 bytes.</summary>
    internal static StorePathDigest FromBytes(ReadOnlySpan<byte> bytes) => new(Nix32.Encode(bytes));

    /// <summary>Returns the 20 bytes.</summary>
    public byte[] ToBytes()
    {
        var bytes = new byte[20];
        Nix32.TryDecode(_text, bytes);
        return bytes;
    }

    /// <inheritdoc/>
    public override string ToString() => _text;
}
