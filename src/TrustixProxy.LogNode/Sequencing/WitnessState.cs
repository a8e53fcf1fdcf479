using System.Collections.Immutable;

namespace TrustixProxy.LogNode.Sequencing;

/// <summary>What witnesses have answered.</summary>
/// <param name="Cosigned">The head that they cosigned, with its cosignatures; null when there is nothing to keep of it.</param>
/// <param name="LogSizes">The log's size that each witness is known to have, by name.</param>
/// <param name="MapHeadSizes">The map-head log's size, as <paramref name="LogSizes"/>.</param>
/// <param name="Shown">Checkpoints under the log's own key that were seen. The file should lead to each.</param>
internal sealed record WitnessState(PublishedHead? Cosigned, ImmutableDictionary<string, long> LogSizes,
    ImmutableDictionary<string, long> MapHeadSizes, ImmutableArray<byte[]> Shown);
