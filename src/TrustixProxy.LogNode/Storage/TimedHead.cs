using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Storage;

/// <summary>A head with the time at which it was signed.</summary>
/// <param name="SignedAt">In milliseconds since 1970; by the log's own clock, and not signed.</param>
internal sealed record TimedHead(LogHead Message, long SignedAt);
