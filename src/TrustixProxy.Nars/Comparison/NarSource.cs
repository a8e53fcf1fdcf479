using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Comparison;

/// <summary>One party's NAR of a path.</summary>
/// <param name="Name">The party's name.</param>
/// <param name="NarHash">SHA-256 the NAR is claimed to have; null without a claim.</param>
/// <param name="NarSize">Size in bytes the NAR is claimed to have; null without a claim.</param>
/// <param name="OpenAsync">Opens the decompressed NAR. Fails with an <see cref="IOException"/>, an <see cref="HttpRequestException"/> or an
/// <see cref="InvalidDataException"/>.</param>
public sealed record NarSource(string Name, NixHash? NarHash, long? NarSize, Func<CancellationToken, Task<Stream>> OpenAsync);

/// <summary>Signals a NAR that could not be read to its end, or contradicts its claim.</summary>
public sealed class NarUnreadableException(string source, string reason) : Exception($"the NAR of {source} {reason}");
