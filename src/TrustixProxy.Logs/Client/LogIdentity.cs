using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Logs.Client;

/// <summary>Identifies a log.</summary>
/// <param name="Name">Its name in the configuration.</param>
/// <param name="Key">The key that signs its heads.</param>
/// <param name="Url">The log's address; evidence names it as its source.</param>
public sealed record LogIdentity(string Name, LogKey Key, Uri Url);
