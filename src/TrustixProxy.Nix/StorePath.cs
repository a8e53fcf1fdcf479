using System.Buffers;
using System.Text;

namespace TrustixProxy.Nix;

/// <summary>Why a text is not a store path.</summary>
public enum StorePathError
{
    /// <summary>The text is valid.</summary>
    None,

    /// <summary>Too short for a digest, a dash and a name.</summary>
    TooShort,

    /// <summary>One of the first 32 characters is not nix32.</summary>
    DigestCharacter,

    /// <summary>Character 33 is not <c>-</c>.</summary>
    MissingDash,

    /// <summary>The name is empty or has more than 211 characters.</summary>
    NameLength,

    /// <summary>The name has a character outside <c>[0-9a-zA-Z+-._?=]</c>.</summary>
    NameCharacter,

    /// <summary>The name is <c>.</c> or <c>..</c>, or starts with <c>.-</c> or <c>..-</c>.</summary>
    DotName,

    /// <summary>Not an absolute path directly below a <see cref="Store"/>.</summary>
    NotInStore,
}

/// <summary>The path of a store object: its base name, <c>digest-name</c>, and its store.</summary>
/// <remarks>Digest: 160 bits as 32 nix32 characters. Name: 1 to 211 characters. Source: nix <c>src/libstore/path.cc</c>.</remarks>
public sealed record StorePath : IComparable<StorePath>
{
    private const int MaxNameLength = 211;

    private static readonly SearchValues<char> NameCharacters =
        SearchValues.Create("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+-._?=");

    private readonly string _text;

    private StorePath(StorePathDigest digest, string name, Store store) =>
        (Digest, Name, Store, _text) = (digest, name, store, $"{digest}-{name}");

    /// <summary>The digest, by which clients ask a cache.</summary>
    public StorePathDigest Digest { get; }

    /// <summary>The name, which the digest covers: one digest has one true name.</summary>
    public string Name { get; }

    /// <summary>The store, which the digest covers too: one digest has one true store.</summary>
    public Store Store { get; }

    /// <summary>The absolute path, for example <c>/nix/store/digest-name</c>.</summary>
    public string Absolute => $"{Store.Directory}/{_text}";

    /// <summary>Parses a whole base name in Nix's store; nothing is trimmed, folded or repaired.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out StorePath? path, out StorePathError error) =>
        TryParse(text, Store.Nix, out path, out error);

    /// <summary>Parses a whole base name in a store; nothing is trimmed, folded or repaired.</summary>
    public static bool TryParse(
        ReadOnlySpan<char> text, Store store, [NotNullWhen(true)] out StorePath? path, out StorePathError error)
    {
        path = null;
        if (text.Length <= StorePathDigest.Length + 1)
        {
            error = StorePathError.TooShort;
            return false;
        }

        if (!StorePathDigest.TryParse(text[..StorePathDigest.Length], out var digest))
        {
            error = StorePathError.DigestCharacter;
            return false;
        }

        var name = text[(StorePathDigest.Length + 1)..];
        error = text[StorePathDigest.Length] is '-' ? CheckName(name) : StorePathError.MissingDash;
        path = error is StorePathError.None ? new StorePath(digest, name.ToString(), store) : null;
        return path is not null;
    }

    /// <summary>Parses a whole absolute path in either store, for example <c>/nix/store/digest-name</c>.</summary>
    public static bool TryParseAbsolute(ReadOnlySpan<char> text, [NotNullWhen(true)] out StorePath? path, out StorePathError error)
    {
        if (Store.TryParse(text[..Math.Min(text.Length, Store.DirectoryLength)], out var store)
            && text[Store.DirectoryLength..] is ['/', ..])
        {
            return TryParse(text[(Store.DirectoryLength + 1)..], store, out path, out error);
        }

        (path, error) = (null, StorePathError.NotInStore);
        return false;
    }

    /// <summary>Parses a whole absolute path in one store.</summary>
    public static bool TryParseAbsolute(
        ReadOnlySpan<char> text, Store store, [NotNullWhen(true)] out StorePath? path, out StorePathError error)
    {
        if (TryParseAbsolute(text, out path, out error) && path.Store != store)
        {
            (path, error) = (null, StorePathError.NotInStore);
        }

        return path is not null;
    }

    /// <summary>Returns the digest of a log's key that is an absolute path; null for another key.</summary>
    public static StorePathDigest? DigestOfKey(ReadOnlySpan<byte> key) =>
        TryParseAbsolute(Encoding.ASCII.GetString(key), out var path, out _) ? path.Digest : null;

    /// <summary>Returns the path with the same base name in a store.</summary>
    public StorePath In(Store store) => store == Store ? this : new StorePath(Digest, Name, store);

    /// <inheritdoc/>
    public int CompareTo(StorePath? other) => string.CompareOrdinal(_text, other?._text) is var order and not 0 ? order
        : string.CompareOrdinal(Store.Directory, other?.Store.Directory);

    /// <inheritdoc/>
    public bool Equals(StorePath? other) => _text == other?._text && Store == other.Store;

    /// <inheritdoc/>
    public override int GetHashCode() => _text.GetHashCode(StringComparison.Ordinal);

    /// <summary>The base name.</summary>
    public override string ToString() => _text;

    /// <summary>Creates the path in Nix's store from this digest and an already checked name.</summary>
    internal static StorePath Create(StorePathDigest digest, string name) => new(digest, name, Store.Nix);

    private static StorePathError CheckName(ReadOnlySpan<char> name) =>
        name.Length is 0 or > MaxNameLength ? StorePathError.NameLength
        : name.ContainsAnyExcept(NameCharacters) ? StorePathError.NameCharacter
        : name is "." or ".." || name.StartsWith(".-") || name.StartsWith("..-") ? StorePathError.DotName
        : StorePathError.None;
}
