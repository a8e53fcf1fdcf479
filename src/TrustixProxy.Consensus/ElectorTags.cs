using System.Collections.Immutable;

namespace TrustixProxy.Consensus;

/// <summary>What an operator says about an elector: where it builds, with what, for whom. Free names and values.</summary>
/// <param name="Text">The tags as <c>country=DE,system=hydra</c>, ordered by name; equal tags have equal texts.</param>
public sealed record ElectorTags(string Text)
{
    /// <summary>No tags.</summary>
    public static ElectorTags None { get; } = new("");

    /// <summary>Creates tags.</summary>
    /// <param name="tags">Values by name. No name or value has a comma or an equals sign.</param>
    public static ElectorTags Of(IEnumerable<KeyValuePair<string, string>> tags) =>
        new(string.Join(',', tags.OrderBy(tag => tag.Key, StringComparer.Ordinal).Select(tag => $"{tag.Key}={tag.Value}")));

    /// <summary>Returns the value of a tag; null when the elector does not have it.</summary>
    public string? this[string name] => Text.Split(',').FirstOrDefault(tag => tag.StartsWith($"{name}=", StringComparison.Ordinal))
        is { } tag ? tag[(name.Length + 1)..] : null;
}

/// <summary>A demand that a quorum spans different values of a tag.</summary>
/// <param name="Tag">The tag's name.</param>
/// <param name="Count">Number of different values needed; positive.</param>
public sealed record DistinctValues(string Tag, int Count)
{
    /// <summary>Whether operators have enough different values. An operator has one value: that of all its electors, or none if they
    /// differ.</summary>
    public bool IsMetBy(IEnumerable<IGrouping<string, Elector>> operators) =>
        operators.Select(ValueOf).OfType<string>().Distinct().Count() >= Count;

    /// <summary>Number of different values that an electorate has.</summary>
    public int CountOf(ImmutableArray<Elector> electors) =>
        electors.GroupBy(elector => elector.Operator).Select(ValueOf).OfType<string>().Distinct().Count();

    /// <inheritdoc/>
    public override string ToString() => $"{Count} different values of {Tag}";

    private string? ValueOf(IEnumerable<Elector> electors) =>
        electors.Select(elector => elector.Tags[Tag]).Distinct().ToList() is [var only] ? only : null;
}
