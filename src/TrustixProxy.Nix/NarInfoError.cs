namespace TrustixProxy.Nix;

/// <summary>Why bytes are not a narinfo that may be sent to a client.</summary>
public enum NarInfoError
{
    /// <summary>The narinfo is valid.</summary>
    None,

    /// <summary>More than <see cref="NarInfo.MaxSize"/> bytes.</summary>
    TooLarge,

    /// <summary>The last line has no newline; Nix calls that corrupt.</summary>
    NoFinalNewline,

    /// <summary>Text without a colon after the last field.</summary>
    NoSeparator,

    /// <summary>A duplicate <c>References</c> or <c>CA</c>, which Nix refuses too; for GNU Guix a field twice that is voted on.</summary>
    Duplicate,

    /// <summary>No <c>StorePath</c>.</summary>
    StorePathMissing,

    /// <summary><c>StorePath</c> is not a path in the store, for example <c>/nix/store/digest-name</c>.</summary>
    StorePath,

    /// <summary>No <c>URL</c>, or an empty one.</summary>
    UrlMissing,

    /// <summary><c>URL</c> has a blank or a control character.</summary>
    Url,

    /// <summary><c>Compression</c> has a blank, a control character or a byte from 128 in its name.</summary>
    Compression,

    /// <summary><c>FileHash</c> is not a hash.</summary>
    FileHash,

    /// <summary><c>FileSize</c> is not a decimal number from 0 to 2^63-1.</summary>
    FileSize,

    /// <summary>No <c>NarHash</c>.</summary>
    NarHashMissing,

    /// <summary><c>NarHash</c> is not a SHA-256 hash.</summary>
    NarHash,

    /// <summary>No <c>NarSize</c>.</summary>
    NarSizeMissing,

    /// <summary><c>NarSize</c> is not a decimal number from 1 to 2^63-1.</summary>
    NarSize,

    /// <summary><c>References</c> is not a list of store path base names with blanks between them.</summary>
    References,

    /// <summary>A GNU Guix narinfo without <c>References</c>, or with references that are not signed.</summary>
    ReferencesMissing,

    /// <summary>A GNU Guix narinfo with a line that is not <c>Name: value</c>.</summary>
    Line,

    /// <summary>A GNU Guix narinfo in which <c>Signature:</c> first occurs within a line, or whose value is not visible ASCII.</summary>
    Signature,

    /// <summary>A GNU Guix narinfo with other characters than ASCII.</summary>
    NotAscii,
}
