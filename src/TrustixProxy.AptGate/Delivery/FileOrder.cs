using TrustixProxy.AptGate.Archives;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.AptGate.Delivery;

/// <summary>A file to fetch from an archive.</summary>
/// <param name="Archive">The archive.</param>
/// <param name="Path">Its address below the archive's, escaped.</param>
/// <param name="Sha256">The SHA-256 that it must have; null when only its bytes can tell.</param>
/// <param name="Size">The length that it must have, in bytes; null when unknown.</param>
public sealed record FileOrder(Archive Archive, string Path, Digest? Sha256, long? Size);

/// <summary>How the fetching of a file begins.</summary>
/// <param name="Status">200 when bytes come, else the archive's status; 502 when it cannot be reached.</param>
/// <param name="Length">Length of the file in bytes; null when unknown.</param>
/// <param name="ModifiedAt">When the archive says it was last changed; null when it does not say.</param>
/// <param name="Reason">Why there are no bytes; empty when they come.</param>
public sealed record FetchStart(int Status, long? Length, DateTimeOffset? ModifiedAt, string Reason = "");

/// <summary>How the fetching of a file ended.</summary>
/// <param name="Fault">Why the bytes are not the file; null when they are.</param>
/// <param name="Sha256">SHA-256 of all bytes, if they came whole.</param>
/// <param name="Length">Number of bytes that came.</param>
public sealed record FetchEnd(string? Fault, Digest Sha256, long Length);
