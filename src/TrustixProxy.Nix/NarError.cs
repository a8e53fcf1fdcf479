namespace TrustixProxy.Nix;

/// <summary>Why bytes are not a NAR.</summary>
public enum NarError
{
    /// <summary>No error: the bytes are a NAR, or the beginning of one.</summary>
    None,

    /// <summary>The first string is not <c>nix-archive-1</c>.</summary>
    Magic,

    /// <summary>A word of the grammar in the wrong place.</summary>
    Tag,

    /// <summary>A word longer than any word of the grammar.</summary>
    TagLength,

    /// <summary>A padding byte is not zero.</summary>
    Padding,

    /// <summary>A file name is empty or has more than 255 bytes.</summary>
    NameLength,

    /// <summary>A file name is <c>.</c> or <c>..</c>, or has a slash, a NUL or, where no elector vouches for the archive,
    /// <c>~nix~case~hack~</c>.</summary>
    Name,

    /// <summary>File names are not in strictly ascending byte order.</summary>
    NameOrder,

    /// <summary>A symbolic link's target is empty or has more than 4095 bytes.</summary>
    TargetLength,

    /// <summary>A symbolic link's target has a NUL.</summary>
    Target,

    /// <summary>A file's declared size is 2^63 bytes or more.</summary>
    FileSize,

    /// <summary>A node is nested in 64 directories or more.</summary>
    Depth,

    /// <summary>Bytes follow the end of the archive.</summary>
    TrailingBytes,

    /// <summary>The bytes end before the archive does.</summary>
    Truncated,
}
