namespace TrustixProxy.AptGate.Storage;

/// <summary>Configures the store of files that are known by their SHA-256.</summary>
/// <param name="Directory">Its folder.</param>
/// <param name="MaxSize">Maximum number of bytes kept; the least recently used files go first.</param>
public sealed record FileStoreOptions(string Directory, long MaxSize);
