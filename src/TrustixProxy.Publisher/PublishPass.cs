namespace TrustixProxy.Publisher;

/// <summary>What kept jobs in the spool.</summary>
public enum PublishFault
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>The log said no: its token or its name is wrong.</summary>
    Refused,

    /// <summary>The log was reached, and could not do it now.</summary>
    Busy,

    /// <summary>The log could not be reached.</summary>
    Unreachable,

    /// <summary>Nix could not be asked about what it has built.</summary>
    NoNix,

    /// <summary>The spool could not be read or written to.</summary>
    Spool,
}

/// <summary>What going through the spool came to.</summary>
/// <param name="Paths">Paths that the log has now, durably.</param>
/// <param name="Excluded">Paths that <c>include</c> and <c>exclude</c> held back, themselves or for a reference of theirs.</param>
/// <param name="Lost">Jobs that were given up, in whole or in part.</param>
/// <param name="Rejected">Files that were no jobs.</param>
/// <param name="Waiting">Jobs that are still there.</param>
/// <param name="Fault">What keeps them, other than that they are new.</param>
public sealed record PublishPass(int Paths, int Excluded, int Lost, int Rejected, int Waiting, PublishFault Fault)
{
    /// <summary>Paths that were not built on this machine, and so were left out.</summary>
    public int NotBuiltHere { get; init; }

    /// <summary>Paths for which the log holds another value than ours: it keeps the first one that it was given.</summary>
    public int Contradicted { get; init; }

    /// <summary>This pass and the one after it.</summary>
    public PublishPass Then(PublishPass next) =>
        new(Paths + next.Paths, Excluded + next.Excluded, Lost + next.Lost, Rejected + next.Rejected, next.Waiting, next.Fault)
        {
            NotBuiltHere = NotBuiltHere + next.NotBuiltHere,
            Contradicted = Contradicted + next.Contradicted,
        };
}
