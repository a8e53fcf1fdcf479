using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Comparison;

/// <summary>Somebody's NAR of a path.</summary>
/// <param name="Name">Whose.</param>
/// <param name="NarHash">SHA-256 that it is said to have; null when nobody says.</param>
/// <param name="NarSize">How many bytes it is said to have; null when nobody says.</param>
/// <param name="OpenAsync">Reads it, decompressed. A fault is an <see cref="IOException"/>, an <see cref="HttpRequestException"/> or an
/// <see cref="InvalidDataException"/>.</param>
public sealed record NarSource(string Name, NixHash? NarHash, long? NarSize, Func<CancellationToken, Task<Stream>> OpenAsync);

/// <summary>A NAR could not be read to its end, or is not what it was said to be.</summary>
/// <param name="source">Whose NAR.</param>
/// <param name="reason">Why.</param>
public sealed class NarUnreadableException(string source, string reason) : Exception($"the NAR of {source} {reason}");
