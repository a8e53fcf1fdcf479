namespace TrustixProxy.Nars;

/// <summary>Why bytes are not the agreed NAR.</summary>
public enum NarFault
{
    /// <summary>The upstream gave no answer: a refused or reset connection, silence, or a failure of its own (5xx, 408, 429).</summary>
    Unreachable,

    /// <summary>The upstream answered that it does not provide the NAR: 404, 403, 410 or another permanent status.</summary>
    Gone,

    /// <summary>The upstream, and every other that could have resumed, broke off or stalled.</summary>
    BrokenOff,

    /// <summary>The compressed data is damaged.</summary>
    Compression,

    /// <summary>More bytes than agreed.</summary>
    TooLong,

    /// <summary>Fewer bytes than agreed.</summary>
    TooShort,

    /// <summary>Not a NAR by the strict grammar.</summary>
    Grammar,

    /// <summary>The NAR's hash differs.</summary>
    NarHash,

    /// <summary>The NAR lacks the content address on whose account it is served.</summary>
    ContentAddress,

    /// <summary>The agreed NAR, but compressed into other bytes than the URL names.</summary>
    FileHash,
}

/// <summary>Thrown by a read of a NAR that fails verification: the body must not end as if it were complete.</summary>
internal sealed class NarRefusedException(NarFault fault) : IOException($"The NAR is refused: {fault}.")
{
    public NarFault Fault => fault;
}
