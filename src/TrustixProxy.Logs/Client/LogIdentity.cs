using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Logs.Client;

/// <summary>What a log is known by.</summary>
/// <param name="Name">Its name in the configuration.</param>
/// <param name="Key">The key that signs its heads.</param>
/// <param name="Url">Where it is asked; evidence names it as its source.</param>
public sealed record LogIdentity(string Name, LogKey Key, Uri Url);
