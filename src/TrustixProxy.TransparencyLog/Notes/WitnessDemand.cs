using System.Globalization;
using System.Text;

namespace TrustixProxy.TransparencyLog.Notes;

/// <summary>The demand that a log's heads have been seen by witnesses.</summary>
/// <param name="Origin">The log's origin.</param>
/// <param name="Key">The log's key, which also signs its heads.</param>
/// <param name="Policy">The witnesses, and how many of them are needed. Its logs do not matter here.</param>
/// <param name="Within">How old the newest cosignature may be; null for any age.</param>
public sealed record WitnessDemand(string Origin, LogKey Key, WitnessPolicy Policy, TimeSpan? Within)
{
    /// <summary>One line of text that is equal for two demands that accept the same checkpoints of one key.</summary>
    public string Identity => string.Create(
        CultureInfo.InvariantCulture, $"{Origin} {Within?.TotalSeconds} {Digest.Of(Encoding.UTF8.GetBytes(Policy.Text))}");

    /// <inheritdoc/>
    public bool Equals(WitnessDemand? other) => other is not null && Key == other.Key && Identity == other.Identity;

    /// <inheritdoc/>
    public override int GetHashCode() => Identity.GetHashCode(StringComparison.Ordinal);

    /// <summary>Checks a head against the checkpoints of the log and of its map-head log. Both must be witnessed; of both, the older
    /// newest time counts.</summary>
    /// <param name="head">The head.</param>
    /// <param name="checkpoint">The log's checkpoint; empty when there is none.</param>
    /// <param name="mapHeads">The map-head log's checkpoint; empty when there is none.</param>
    /// <param name="now">The time.</param>
    public CheckpointVerdict Verify(TreeHead head, ReadOnlySpan<byte> checkpoint, ReadOnlySpan<byte> mapHeads, DateTimeOffset now)
    {
        var log = Verify(checkpoint, new Checkpoint(Origin, head.TreeSize, head.LogRoot), now);
        var maps = Verify(mapHeads, new Checkpoint(Origin + Checkpoint.MapHeads, head.MapHeadSize, head.MapHeadRoot), now);
        return (log, maps) switch
        {
            (CheckpointVerdict.Refused, _) => log,
            (_, CheckpointVerdict.Refused) => maps,
            (CheckpointVerdict.Unwitnessed, _) => log,
            (_, CheckpointVerdict.Unwitnessed) => maps,
            (CheckpointVerdict.Witnessed first, CheckpointVerdict.Witnessed second) => new CheckpointVerdict.Witnessed(
                first.Checkpoint, [.. first.Witnesses.Intersect(second.Witnesses)],
                first.NewestAt < second.NewestAt ? first.NewestAt : second.NewestAt)
            {
                ThereBy = first.ThereBy > second.ThereBy ? first.ThereBy : second.ThereBy,
                ReachedAt = first.ReachedAt < second.ReachedAt ? first.ReachedAt : second.ReachedAt,
                Notes = [.. first.Notes, .. second.Notes],
            },
            _ => throw new System.Diagnostics.UnreachableException(),
        };
    }

    /// <summary>Checks one checkpoint.</summary>
    /// <param name="bytes">The checkpoint as a note; empty when there is none.</param>
    /// <param name="expected">What it must say.</param>
    /// <param name="now">The time.</param>
    public CheckpointVerdict Verify(ReadOnlySpan<byte> bytes, Checkpoint expected, DateTimeOffset now)
    {
        if (bytes.IsEmpty)
        {
            return new CheckpointVerdict.Unwitnessed(UnwitnessedReason.NoCheckpoint, [], null);
        }

        if (!SignedNote.TryParse(bytes, out var note, out _))
        {
            return new CheckpointVerdict.Refused(CheckpointError.Note);
        }

        var log = VerifierKey.OfLog(expected.Origin, Key);
        var error = !Checkpoint.TryRead(note, out var said) ? CheckpointError.Form
            : said.Origin != expected.Origin ? CheckpointError.Origin
            : note.Check(log) is not SignatureCheck.Valid ? CheckpointError.LogSignature
            : said.Size != expected.Size ? CheckpointError.Size
            : said.Root != expected.Root ? CheckpointError.Root
            : CheckpointError.None;
        var verdict = error is CheckpointError.None ? Judge(said!, Policy.Count(note, now), now, Within)
            : new CheckpointVerdict.Refused(error);
        return verdict is CheckpointVerdict.Witnessed witnessed ? witnessed with { Notes = [Shorten(note, log)] } : verdict;
    }

    /// <summary>Leaves one signature of the log and the newest of each witness: then the policy bounds what is kept, not the log.</summary>
    private string Shorten(SignedNote note, VerifierKey log)
    {
        var keys = Policy.Witnesses.Select(witness => witness.Key).Where(key => key.IsVerifiable);
        var newest = keys.Select(key => Cosignature.Newest(note, key));
        return $"{SignedNote.Of(note.Text, [note.Signatures.First(signature => signature.IsOf(log)), .. newest.OfType<NoteSignature>()])}";
    }

    /// <summary>Judges a checkpoint that the log signed by its cosignatures.</summary>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <param name="count">Its cosignatures.</param>
    /// <param name="now">The time.</param>
    /// <param name="within">How old the newest may be; null for any age.</param>
    internal static CheckpointVerdict Judge(Checkpoint checkpoint, CosignatureCount count, DateTimeOffset now, TimeSpan? within) =>
        count.Forged is not null ? new CheckpointVerdict.Refused(CheckpointError.WitnessSignature)
        : !count.IsQuorum ? new CheckpointVerdict.Unwitnessed(UnwitnessedReason.Quorum, count.Witnesses, count.NewestAt)
        : now - count.NewestAt > within ? new CheckpointVerdict.Unwitnessed(UnwitnessedReason.Stale, count.Witnesses, count.NewestAt)
        : new CheckpointVerdict.Witnessed(checkpoint, count.Witnesses, count.NewestAt) { ReachedAt = count.ReachedAt };
}
