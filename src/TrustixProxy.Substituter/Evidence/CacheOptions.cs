using TrustixProxy.Consensus;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>A signed cache that is an elector, and where it is.</summary>
/// <param name="Elector">Who votes by it.</param>
/// <param name="Url">http or https; a path is kept.</param>
public sealed record CacheOptions(Elector.Cache Elector, Uri Url);
