using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Auditing;

/// <summary>What an audit found of a path.</summary>
public enum AuditVerdict
{
    /// <summary>The cache's file is what its narinfo says.</summary>
    Right,

    /// <summary>Something of it is not what the narinfo says.</summary>
    Wrong,

    /// <summary>The cache has no narinfo of it.</summary>
    Absent,

    /// <summary>The cache gave no answer that could be checked.</summary>
    Unknown,
}

/// <summary>The statement of a narinfo that does not hold. Messages use the kebab case of a member's name.</summary>
public enum CacheFaultKind
{
    /// <summary>The narinfo itself: of another path, too large, or with an address where this cache may not lead.</summary>
    Narinfo,

    /// <summary>No signature verifies with a given key.</summary>
    Signature,

    /// <summary>The file is missing at the narinfo's address.</summary>
    NarMissing,

    /// <summary>The file has another compression.</summary>
    Compression,

    /// <summary>The file does not decompress.</summary>
    Damaged,

    /// <summary>The file has another length.</summary>
    FileSize,

    /// <summary>The file has another hash.</summary>
    FileHash,

    /// <summary>The NAR has another length.</summary>
    NarSize,

    /// <summary>The NAR has another hash.</summary>
    NarHash,

    /// <summary>The contents are not a NAR by the strict grammar.</summary>
    Grammar,

    /// <summary>The NAR does not have the content address.</summary>
    ContentAddress,

    /// <summary>The NAR does not contain a reference that the narinfo lists.</summary>
    Reference,
}

/// <summary>One statement of a narinfo that does not hold.</summary>
/// <param name="Kind">Which statement.</param>
/// <param name="Said">What the narinfo says.</param>
/// <param name="Found">What was found instead.</param>
public sealed record CacheFault(CacheFaultKind Kind, string Said, string Found);

/// <summary>What an audit found of one path.</summary>
/// <param name="Faults">What does not hold; empty unless wrong.</param>
/// <param name="Why">The reason when its NAR could not be checked; otherwise null.</param>
public sealed record AuditedPath(StorePath Path, AuditVerdict Verdict, IReadOnlyList<CacheFault> Faults, string? Why = null);
