using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Delivery;

/// <summary>What became of a file: why it is refused, or its hash when it is the agreed NAR.</summary>
public readonly record struct NarVerdict(NarFault? Fault, NixHash? FileHash)
{
    /// <summary>The hash of the NAR that came in the place of the agreed one; null where it was not read to its end.</summary>
    public NixHash? Sent { get; init; }
}
