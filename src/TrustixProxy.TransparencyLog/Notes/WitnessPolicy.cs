using System.Collections.Immutable;

namespace TrustixProxy.TransparencyLog.Notes;

/// <summary>Why a policy file is refused.</summary>
/// <param name="Line">Number of the line, from 1; one past the last line for what is missing.</param>
/// <param name="Problem">What is wrong, with the value.</param>
/// <param name="Remedy">What to do.</param>
public sealed record WitnessPolicyFault(int Line, string Problem, string Remedy)
{
    /// <summary>Returns <c>line 7: problem; remedy</c>.</summary>
    public override string ToString() => $"line {Line}: {Problem}; {Remedy}";
}

/// <summary>The logs and witnesses that a user trusts, and how many of the witnesses must have cosigned a checkpoint.</summary>
/// <remarks>
/// <code>
/// # white space between words is spaces and tabs
/// log VKEY [URL]
/// witness NAME VKEY [URL]
/// group NAME all|any|K MEMBER…
/// quorum NAME|none
/// </code>
/// A line refers only to names of lines above it, and each name is a member once at most. In place of a VKEY a key may be 64 hexadecimal
/// digits, as Sigsum writes them: then the log's origin is <c>sigsum.org/v1/tree/…</c>, and the witness counts only in Sigsum's proofs.
/// Source: C2SP tlog-policy.</remarks>
public sealed class WitnessPolicy
{
    /// <summary>Maximum size of a policy file, in bytes.</summary>
    public const int MaxSize = 64 << 10;

    /// <summary>How far ahead of ours a witness's clock may be; a later cosignature does not count.</summary>
    public static readonly TimeSpan MaxAhead = TimeSpan.FromMinutes(5);

    internal WitnessPolicy(ImmutableArray<PolicyLog> logs, ImmutableArray<PolicyWitness> witnesses, WitnessGroup? quorum, string text) =>
        (Logs, Witnesses, Quorum, Text) = (logs, witnesses, quorum, text);

    /// <summary>The logs, in their order; empty where the log is known otherwise.</summary>
    public ImmutableArray<PolicyLog> Logs { get; }

    /// <summary>All witnesses, in their order.</summary>
    public ImmutableArray<PolicyWitness> Witnesses { get; }

    /// <summary>The cosignatures needed; null for <c>quorum none</c>.</summary>
    public WitnessGroup? Quorum { get; }

    /// <summary>The lines that mean something, without addresses, each word once separated: what enters a policy's identity.</summary>
    public string Text { get; }

    /// <summary>Number of witnesses that may lie without a log being able to show two histories, each with a quorum: 2k − n − 1 for k of
    /// n. Negative when no witness needs to lie, since two quorums can be disjoint.</summary>
    /// <remarks><c>check-config</c> warns where it is below 1.</remarks>
    public int LiarsBorne => (Quorum?.Overlap ?? 0) - 1;

    /// <summary>The witnesses whose cosignatures are ignored, since this program does not verify their algorithm.</summary>
    public IEnumerable<PolicyWitness> IgnoredWitnesses => Witnesses.Where(witness => !witness.Key.IsVerifiable);

    /// <summary>The witnesses that are named by their keys alone, as Sigsum does: they count only in Sigsum's proofs.</summary>
    public IEnumerable<PolicyWitness> NamelessWitnesses =>
        Witnesses.Where(witness => witness.Key.Name.StartsWith(SigsumLog.Witness, StringComparison.Ordinal));

    /// <summary>Reads a policy file whole.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="mustDemand">Whether to refuse a policy that demands no cosignature.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="fault">Why it is refused.</param>
    public static bool TryParse(
        ReadOnlySpan<byte> bytes, bool mustDemand, [NotNullWhen(true)] out WitnessPolicy? policy,
            [NotNullWhen(false)] out WitnessPolicyFault? fault)
    {
        var reader = new WitnessPolicyReader(mustDemand);
        policy = reader.Read(bytes, out fault);
        return policy is not null;
    }

    /// <summary>Counts the cosignatures on a checkpoint.</summary>
    /// <param name="note">The checkpoint.</param>
    /// <param name="now">The time.</param>
    public CosignatureCount Count(SignedNote note, DateTimeOffset now) => Count(
        note.Text, witness => note.Signatures.Where(signature => signature.IsOf(witness)).Select(signature => signature.Bytes), now);

    /// <summary>Counts cosignatures on a checkpoint's text.</summary>
    /// <param name="checkpoint">The text.</param>
    /// <param name="find">Finds the signatures that are said to be a witness's.</param>
    /// <param name="now">The time.</param>
    internal CosignatureCount Count(
        string checkpoint, Func<VerifierKey, IEnumerable<ReadOnlyMemory<byte>>> find, DateTimeOffset now)
    {
        var times = new Dictionary<string, DateTimeOffset>(); // in the policy's order
        foreach (var witness in Witnesses.Where(witness => witness.Key.IsVerifiable))
        {
            var check = Cosignature.CheckAll(checkpoint, find(witness.Key), witness.Key, out var time);
            if (check is SignatureCheck.Invalid)
            {
                return new CosignatureCount(witness.Name, [], null, IsQuorum: false);
            }

            if (check is SignatureCheck.Valid && time <= now + MaxAhead)
            {
                times.Add(witness.Name, time);
            }
        }

        DateTimeOffset? newest = times.Count > 0 ? times.Values.Max() : null;
        return new CosignatureCount(null, [.. times.Keys], newest, Quorum is null || Quorum.IsMetBy(times.Keys.ToHashSet()))
        {
            ReachedAt = Quorum?.ReachedBy(times),
        };
    }
}

/// <summary>What the cosignatures on a checkpoint come to.</summary>
/// <param name="Forged">A witness under whose name and key id the checkpoint has another signature: refuse it; null when there is
/// none.</param>
/// <param name="Witnesses">Names of the witnesses that have cosigned, each once.</param>
/// <param name="NewestAt">The newest time among them; null without any.</param>
/// <param name="IsQuorum">Whether they are enough.</param>
public sealed record CosignatureCount(string? Forged, ImmutableArray<string> Witnesses, DateTimeOffset? NewestAt, bool IsQuorum)
{
    /// <summary>The latest time that enough of them reach; null when they are not enough, or none are needed.</summary>
    public DateTimeOffset? ReachedAt { get; init; }
}
