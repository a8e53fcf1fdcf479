namespace TrustixProxy.Nix;

/// <summary>Why bytes are not a NAR.</summary>
public enum NarError
{
    /// <summary>They are one, or the beginning of one.</summary>
    None,

    /// <summary>The first string is not <c>nix-archive-1</c>.</summary>
    Magic,

    /// <summary>A word of the grammar stands where another one must.</summary>
    Tag,

    /// <summary>A word is longer than any word of the grammar.</summary>
    TagLength,

    /// <summary>A padding byte is not zero.</summary>
    Padding,

    /// <summary>A file name has no or more than 255 bytes.</summary>
    NameLength,

    /// <summary>A file name is <c>.</c> or <c>..</c>, or has a slash, a NUL or,
    /// where nobody vouches for the archive, <c>~nix~case~hack~</c>.</summary>
    Name,

    /// <summary>A file name does not come after the one before it, byte by byte.</summary>
    NameOrder,

    /// <summary>A symbolic link's target has no or more than 4095 bytes.</summary>
    TargetLength,

    /// <summary>A symbolic link's target has a NUL.</summary>
    Target,

    /// <summary>A file says that it has 2^63 bytes or more.</summary>
    FileSize,

    /// <summary>A node lies within 64 directories or more.</summary>
    Depth,

    /// <summary>Bytes follow the end.</summary>
    TrailingBytes,

    /// <summary>The bytes end before the archive does.</summary>
    Truncated,
}
