using System.Globalization;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Logs.Watching;

/// <summary>Says why a head is unwitnessed, which witnesses are missing, and what helps.</summary>
internal static class UnwitnessedText
{
    /// <summary>Describes a verdict that is not <see cref="CheckpointVerdict.Witnessed"/>.</summary>
    /// <param name="verdict">The verdict.</param>
    /// <param name="demand">What was demanded.</param>
    public static string Of(CheckpointVerdict verdict, WitnessDemand demand) => verdict switch
    {
        CheckpointVerdict.Refused { Error: var error } => $"its checkpoint is refused ({Describe(error)}). {Remedy(error)}",
        CheckpointVerdict.Unwitnessed { Reason: UnwitnessedReason.NoCheckpoint } =>
            $"it gives no checkpoint; {Missing(demand, [])}. Ask its operator whether it publishes checkpoints under the origin "
                + $"'{demand.Origin}', with cosignatures.",
        CheckpointVerdict.Unwitnessed { Reason: UnwitnessedReason.Stale, Witnesses: var seen, NewestAt: var at } =>
            $"its newest cosignature is of {at?.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)}Z, older than "
                + $"witnessedWithin {demand.Within}; {Missing(demand, seen)}. Ask its operator whether it still sends checkpoints to its "
                + "witnesses, and whether this proxy is shown an old state.",
        CheckpointVerdict.Unwitnessed { Witnesses: var seen } =>
            $"too few witnesses have cosigned it; {Missing(demand, seen)}. Ask the operators of the missing witnesses and of the log; a "
                + "witness that has ended can be replaced in the file of 'witnesses'.",
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    private static string Missing(WitnessDemand demand, IReadOnlyCollection<string> seen)
    {
        var names = demand.Policy.Witnesses.Where(witness => witness.Key.IsVerifiable).Select(witness => witness.Name);
        List<string> missing = [.. names.Except(seen)];
        return $"seen by {List(seen)}, missing {List(missing)}, needed {demand.Policy.Quorum}";
    }

    private static string List(IReadOnlyCollection<string> names) => names.Count is 0 ? "none" : string.Join(", ", names);

    private static string Describe(CheckpointError error) => error switch
    {
        CheckpointError.Note or CheckpointError.Form => "it is no checkpoint",
        CheckpointError.Origin => "its origin is another",
        CheckpointError.LogSignature => "the log's key has not signed it",
        CheckpointError.Size => "its size is not that of the head",
        CheckpointError.Root => "its root is not that of the head",
        CheckpointError.WitnessSignature => "a cosignature is not by the witness that it names",
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    private static string Remedy(CheckpointError error) => error switch
    {
        CheckpointError.Origin or CheckpointError.LogSignature => "Compare 'origin' and 'publicKey' with what its operator publishes.",
        CheckpointError.WitnessSignature => "Compare the keys in the file of 'witnesses' with what the witnesses publish.",
        CheckpointError.Size or CheckpointError.Root => "It may show this proxy a history that no witness has seen: tell its operator.",
        _ => "Tell its operator.",
    };
}
