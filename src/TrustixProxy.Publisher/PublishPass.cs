namespace TrustixProxy.Publisher;

/// <summary>Why jobs stay in the spool.</summary>
public enum PublishFault
{
    /// <summary>Nothing failed.</summary>
    None,

    /// <summary>The log refused the token or the log's name.</summary>
    Refused,

    /// <summary>The log was reached, but is busy.</summary>
    Busy,

    /// <summary>The log could not be reached.</summary>
    Unreachable,

    /// <summary>Nix could not describe the outputs.</summary>
    NoNix,

    /// <summary>The database of Guix's daemon could not be read.</summary>
    NoGuix,

    /// <summary>The spool could not be read or written.</summary>
    Spool,
}

/// <summary>The result of one pass over the spool.</summary>
/// <param name="Paths">Number of paths now durable in the log.</param>
/// <param name="Excluded">Number of paths held back by <c>include</c> and <c>exclude</c>, by their own name or a reference's.</param>
/// <param name="Lost">Number of jobs given up, in whole or in part.</param>
/// <param name="Rejected">Number of files that were not jobs.</param>
/// <param name="Waiting">Number of remaining jobs.</param>
/// <param name="Fault">Why jobs remain, other than being new.</param>
public sealed record PublishPass(int Paths, int Excluded, int Lost, int Rejected, int Waiting, PublishFault Fault)
{
    /// <summary>Number of paths left out because they were not built on this machine.</summary>
    public int NotBuiltHere { get; init; }

    /// <summary>Number of paths for which the log holds another value: it keeps the first it was given.</summary>
    public int Contradicted { get; init; }

    /// <summary>Combines this pass with the next.</summary>
    public PublishPass Then(PublishPass next) =>
        new(Paths + next.Paths, Excluded + next.Excluded, Lost + next.Lost, Rejected + next.Rejected, next.Waiting, next.Fault)
        {
            NotBuiltHere = NotBuiltHere + next.NotBuiltHere,
            Contradicted = Contradicted + next.Contradicted,
        };
}
