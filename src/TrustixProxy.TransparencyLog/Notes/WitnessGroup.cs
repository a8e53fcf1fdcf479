using System.Collections.Immutable;

namespace TrustixProxy.TransparencyLog.Notes;

/// <summary>A log that a policy accepts.</summary>
/// <param name="Key">Its key, named by its origin.</param>
/// <param name="Url">Its address; null when the policy has none.</param>
public sealed record PolicyLog(VerifierKey Key, string? Url);

/// <summary>A witness that a policy knows.</summary>
/// <param name="Name">Its name within the policy.</param>
/// <param name="Key">Its key.</param>
/// <param name="Url">Its address; null when the policy has none.</param>
public sealed record PolicyWitness(string Name, VerifierKey Key, string? Url);

/// <summary>A number of members that must have cosigned; a member is a witness, or again a group.</summary>
/// <param name="Name">The group's name within the policy.</param>
/// <param name="Quorum">Number of members needed, from 1 to all.</param>
/// <param name="Witnesses">The members that are witnesses. No witness occurs twice in a policy's groups.</param>
/// <param name="Groups">The members that are groups.</param>
public sealed record WitnessGroup(
    string Name, int Quorum, ImmutableArray<PolicyWitness> Witnesses, ImmutableArray<WitnessGroup> Groups)
{
    /// <summary>Number of members.</summary>
    public int Members => Witnesses.Length + Groups.Length;

    /// <summary>Whether cosignatures by these witnesses, by name, are enough.</summary>
    public bool IsMetBy(IReadOnlySet<string> witnesses) =>
        Witnesses.Count(witness => witnesses.Contains(witness.Name)) + Groups.Count(group => group.IsMetBy(witnesses)) >= Quorum;

    /// <summary>The latest time that enough cosignatures reach: no smaller set of witnesses can name a later one. Null when they are not
    /// enough.</summary>
    /// <param name="times">When each witness cosigned, by name.</param>
    public DateTimeOffset? ReachedBy(IReadOnlyDictionary<string, DateTimeOffset> times) => times.Values.Distinct().OrderDescending()
        .Where(at => IsMetBy(times.Where(time => time.Value >= at).Select(time => time.Key).ToHashSet()))
        .Select(at => (DateTimeOffset?)at).FirstOrDefault();

    /// <summary>Whether it can be met: a witness whose cosignatures cannot be verified never counts.</summary>
    public bool IsReachable => Countable >= Quorum;

    /// <summary>The smallest number of witnesses that any two quorums share: for k of n witnesses 2k − n, or 0.</summary>
    /// <remarks>A log can show two histories when as many witnesses lie. With 0, none needs to.</remarks>
    public int Overlap => Witnesses.Where(witness => witness.Key.IsVerifiable).Select(_ => 1)
        .Concat(Groups.Where(group => group.IsReachable).Select(group => group.Overlap))
        .Order().Take(Math.Max(0, (2 * Quorum) - Countable)).Sum();

    /// <summary>All witnesses that it counts.</summary>
    public IEnumerable<PolicyWitness> AllWitnesses => Witnesses.Concat(Groups.SelectMany(group => group.AllWitnesses));

    /// <summary>Returns <c>2 of 3</c>; with groups <c>2 of (alice, bob, 1 of 2)</c>.</summary>
    public override string ToString() => Groups.IsEmpty ? $"{Quorum} of {Members}"
        : $"{Quorum} of ({string.Join(", ", [.. Witnesses.Select(witness => witness.Name), .. Groups.Select(group => group.ToString())])})";

    private int Countable => Witnesses.Count(witness => witness.Key.IsVerifiable) + Groups.Count(group => group.IsReachable);
}
