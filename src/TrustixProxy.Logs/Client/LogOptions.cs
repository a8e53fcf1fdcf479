using TrustixProxy.Consensus;

namespace TrustixProxy.Logs.Client;

/// <summary>A log, and where it is.</summary>
/// <param name="Elector">Who votes by it.</param>
/// <param name="Url">http, https, or <c>unix:/path/of/socket</c>; of an export http, https, or file: a folder.</param>
/// <param name="IsMirrored">Whether it is followed entry by entry and answers from here, instead of being asked about each path.</param>
/// <param name="IsExport">Whether its static files are there, as <c>log export</c> writes them, and not its node; it is mirrored
/// then.</param>
public sealed record LogOptions(Elector.Log Elector, Uri Url, bool IsMirrored = false, bool IsExport = false);
