using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Storage;

/// <summary>A head and its signing time.</summary>
/// <param name="SignedAt">Milliseconds since 1970, by the log's own clock; not signed.</param>
internal sealed record TimedHead(LogHead Message, long SignedAt);
