namespace TrustixProxy.Fuzz.Delivery;

/// <summary>What an upstream does to the file of a NAR.</summary>
internal enum UpstreamFault
{
    None,

    /// <summary>Every connection ends after a part of the file; the next goes on at the offset.</summary>
    CutEach,

    /// <summary>The first connection ends in the middle.</summary>
    CutOnce,

    /// <summary>A pause in the middle.</summary>
    Stall,

    /// <summary>Another address has the file.</summary>
    Redirect,

    /// <summary>The whole file is sent, whatever range is asked for.</summary>
    IgnoreRange,

    /// <summary>The file without its length.</summary>
    Chunked,

    /// <summary>The file is compressed once more, as <c>Content-Encoding</c> says.</summary>
    Encoded,

    /// <summary>The narinfo names another length of the file than it has.</summary>
    WrongFileSize,

    /// <summary>The file of another path. With this fault and those below, an upstream cannot deliver.</summary>
    OtherFile,

    FlippedByte,

    /// <summary>Bytes follow the file.</summary>
    TrailingJunk,

    /// <summary>Empty streams of the compression follow the file.</summary>
    Padded,

    /// <summary>Empty streams of the compression, without end.</summary>
    EmptyStreams,

    /// <summary>More bytes are announced than come.</summary>
    WrongLength,

    /// <summary>The first half, as if that were all.</summary>
    Short,

    /// <summary>The first half without its length, as if that were all.</summary>
    ShortChunked,

    /// <summary>Nothing follows the first half.</summary>
    Hang,

    /// <summary>The address leads back to itself.</summary>
    RedirectLoop,

    NotFound,
    Unavailable,

    /// <summary>503 with Retry-After.</summary>
    Throttled,
}
