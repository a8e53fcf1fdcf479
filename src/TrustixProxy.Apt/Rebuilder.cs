using TrustixProxy.Consensus;

namespace TrustixProxy.Apt;

/// <summary>An elector that builds packages again: a link that it signed is its vote.</summary>
/// <param name="Name">The name in answers; unique.</param>
/// <param name="Operator">The operator who runs it.</param>
/// <param name="Key">The instance's long-term key.</param>
public sealed record Rebuilder(string Name, string Operator, RebuilderKey Key) : Elector(Name, Operator)
{
    /// <inheritdoc/>
    public override IEnumerable<byte[]> KeyBytes => [Key.Bytes.ToArray()];

    /// <inheritdoc/>
    public override string Identity => $"{Name}|{Operator}|rebuilder|{Key}";
}
