using TrustixProxy.Consensus;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>A server of proof files that votes, with its address.</summary>
/// <param name="Elector">Its elector.</param>
/// <param name="Url">http or https, may have a path.</param>
public sealed record ProofOptions(Elector.ProofFiles Elector, Uri Url);
