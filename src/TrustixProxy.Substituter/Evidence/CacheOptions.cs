using TrustixProxy.Consensus;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>A signed cache that votes, with its address.</summary>
/// <param name="Elector">Its elector.</param>
/// <param name="Url">http or https, may have a path.</param>
public sealed record CacheOptions(Elector.Cache Elector, Uri Url);
