using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Delivery;

/// <summary>The verdict on a file: the fault, or the file's hash when it is the agreed NAR.</summary>
public readonly record struct NarVerdict(NarFault? Fault, NixHash? FileHash)
{
    /// <summary>The hash of the NAR received instead of the agreed one; null when it was not read to its end.</summary>
    public NixHash? Sent { get; init; }
}
