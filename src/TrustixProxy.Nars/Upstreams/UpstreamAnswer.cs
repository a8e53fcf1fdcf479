using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>What an upstream says of a digest.</summary>
public abstract record UpstreamAnswer
{
    /// <summary>Its narinfo: foreign hints, none of them believed.</summary>
    public sealed record Found(NarInfo NarInfo) : UpstreamAnswer;

    /// <summary>It does not have it.</summary>
    public sealed record Absent : UpstreamAnswer;

    /// <summary>It gave no usable answer, and is not asked again for this request: for this request it has not got the path.</summary>
    /// <param name="Fault">Why.</param>
    /// <param name="IsAway">Whether it was not asked, or not waited for, because it is away.</param>
    public sealed record Failed(UpstreamFault Fault, bool IsAway = false) : UpstreamAnswer
    {
        /// <summary>The failure in one word.</summary>
        public string Reason => Fault.Word;
    }
}
