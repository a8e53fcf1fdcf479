namespace TrustixProxy.Nix;

/// <summary>Why bytes are not a narinfo that a client may be shown.</summary>
public enum NarInfoError
{
    /// <summary>They are one.</summary>
    None,

    /// <summary>More than <see cref="NarInfo.MaxSize"/> bytes.</summary>
    TooLarge,

    /// <summary>A byte that is no printable ASCII character, space or newline; a carriage return is one.</summary>
    Character,

    /// <summary>The last line has no newline; Nix calls that corrupt.</summary>
    NoFinalNewline,

    /// <summary>A line without <c>": "</c>. Nix skips the character after the colon unseen, so <c>References:</c> alone would swallow the next line.</summary>
    NoSeparator,

    /// <summary>A field other than <c>Sig</c> occurs twice; Nix takes the last of some and refuses others.</summary>
    Duplicate,

    /// <summary>No <c>StorePath</c>.</summary>
    StorePathMissing,

    /// <summary><c>StorePath</c> is not <c>/nix/store/digest-name</c>.</summary>
    StorePath,

    /// <summary>No <c>URL</c>, or an empty one.</summary>
    UrlMissing,

    /// <summary><c>URL</c> has a space in it.</summary>
    Url,

    /// <summary><c>Compression</c> has a space in it.</summary>
    Compression,

    /// <summary><c>FileHash</c> is not a hash.</summary>
    FileHash,

    /// <summary><c>FileSize</c> is not a decimal number from 0 to 2^63-1 without sign or leading zeros.</summary>
    FileSize,

    /// <summary>No <c>NarHash</c>.</summary>
    NarHashMissing,

    /// <summary><c>NarHash</c> is not a SHA-256 hash.</summary>
    NarHash,

    /// <summary>No <c>NarSize</c>.</summary>
    NarSizeMissing,

    /// <summary><c>NarSize</c> is not a decimal number from 1 to 2^63-1 without sign or leading zeros.</summary>
    NarSize,

    /// <summary><c>References</c> is not a list of store path base names with one space between them.</summary>
    References,
}
