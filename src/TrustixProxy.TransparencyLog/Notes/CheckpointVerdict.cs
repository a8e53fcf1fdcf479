using System.Collections.Immutable;

namespace TrustixProxy.TransparencyLog.Notes;

/// <summary>Why a checkpoint, or what is to be proven under it, is refused.</summary>
public enum CheckpointError
{
    /// <summary>It is not refused.</summary>
    None,

    /// <summary>Not a signed note of at most 64 KiB.</summary>
    Note,

    /// <summary>The note's text is not the three lines of a checkpoint.</summary>
    Form,

    /// <summary>The origin is another log's.</summary>
    Origin,

    /// <summary>The log's signature is missing or invalid.</summary>
    LogSignature,

    /// <summary>The size is not the head's.</summary>
    Size,

    /// <summary>The root is not the head's.</summary>
    Root,

    /// <summary>A signature under a known witness's name and key id is not that witness's.</summary>
    WitnessSignature,

    /// <summary>The entry is not shown to be in the log.</summary>
    Inclusion,

    /// <summary>The entry is not signed by a known key.</summary>
    LeafSignature,
}

/// <summary>What is missing from a valid checkpoint.</summary>
public enum UnwitnessedReason
{
    /// <summary>There is no checkpoint.</summary>
    NoCheckpoint,

    /// <summary>Fewer witnesses than demanded have cosigned it, not counting cosignatures from the future.</summary>
    Quorum,

    /// <summary>The newest cosignature is too old.</summary>
    Stale,
}

/// <summary>What a checkpoint is worth to one who demands witnesses.</summary>
public abstract record CheckpointVerdict
{
    private CheckpointVerdict()
    {
    }

    /// <summary>The log signed it, and enough witnesses have seen it.</summary>
    /// <param name="Checkpoint">The checkpoint.</param>
    /// <param name="Witnesses">The policy's names of the witnesses that have cosigned.</param>
    /// <param name="NewestAt">The newest time that they name; null when none is demanded and none has cosigned.</param>
    public sealed record Witnessed(Checkpoint Checkpoint, ImmutableArray<string> Witnesses, DateTimeOffset? NewestAt) : CheckpointVerdict
    {
        /// <summary>The latest time that any of them names: the checkpoint was there by then, if any of them is honest.</summary>
        public DateTimeOffset? ThereBy { get; init; } = NewestAt;

        /// <summary>The latest time that enough cosignatures reach, so that no witness alone can name it; null when none are
        /// demanded.</summary>
        public DateTimeOffset? ReachedAt { get; init; }

        /// <summary>The notes that show it, for re-checking, each with the signatures that count and no others: of a head the log's, then
        /// its map-head log's. Empty for a proof file, which is kept whole.</summary>
        public ImmutableArray<string> Notes { get; init; } = [];
    }

    /// <summary>The log signed it, and witnesses are missing: the log may not be at fault.</summary>
    /// <param name="Reason">What is missing.</param>
    /// <param name="Witnesses">The policy's names of the witnesses that have cosigned.</param>
    /// <param name="NewestAt">The newest time that they name; null without any.</param>
    public sealed record Unwitnessed(UnwitnessedReason Reason, ImmutableArray<string> Witnesses, DateTimeOffset? NewestAt)
        : CheckpointVerdict;

    /// <summary>It proves nothing.</summary>
    /// <param name="Error">Why.</param>
    public sealed record Refused(CheckpointError Error) : CheckpointVerdict;
}
