namespace TrustixProxy.Nars;

/// <summary>Why bytes are not the NAR that was agreed on.</summary>
public enum NarFault
{
    /// <summary>The upstream gave no answer: a refused or reset connection, silence, or a failure of its own (5xx, 408, 429).</summary>
    Unreachable,

    /// <summary>The upstream answered that it does not give the NAR: 404, 403, 410 or another status that asking again does not
    /// change.</summary>
    Gone,

    /// <summary>The upstream, and every one that could have gone on in its place, broke off or stalled.</summary>
    BrokenOff,

    /// <summary>The compressed data is damaged.</summary>
    Compression,

    /// <summary>There are more bytes than were agreed on.</summary>
    TooLong,

    /// <summary>There are fewer bytes than were agreed on.</summary>
    TooShort,

    /// <summary>The bytes are no NAR by the strict grammar.</summary>
    Grammar,

    /// <summary>The NAR's hash is another one.</summary>
    NarHash,

    /// <summary>The NAR does not have the content address for whose sake it is served.</summary>
    ContentAddress,

    /// <summary>It is the agreed NAR, compressed in other bytes than those of the URL.</summary>
    FileHash,
}

/// <summary>Thrown by a read of a NAR that turns out not to be the agreed one: the body must not end as if it were whole.</summary>
internal sealed class NarRefusedException(NarFault fault) : IOException($"The NAR is refused: {fault}.")
{
    public NarFault Fault => fault;
}
