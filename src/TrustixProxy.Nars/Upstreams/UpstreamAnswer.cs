using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>An upstream's answer for a digest.</summary>
public abstract record UpstreamAnswer
{
    /// <summary>Its narinfo: untrusted hints.</summary>
    public sealed record Found(NarInfo NarInfo) : UpstreamAnswer;

    /// <summary>The file of a server that is no binary cache: untrusted bytes, bounded in size.</summary>
    public sealed record FoundFile(ReadOnlyMemory<byte> File) : UpstreamAnswer;

    /// <summary>The upstream does not have the path.</summary>
    public sealed record Absent : UpstreamAnswer;

    /// <summary>No usable answer. The upstream is not asked again for this request, which treats the path as missing there.</summary>
    /// <param name="Fault">The reason.</param>
    /// <param name="IsAway">Whether the upstream is away, so that it was not asked or not waited for.</param>
    public sealed record Failed(UpstreamFault Fault, bool IsAway = false) : UpstreamAnswer
    {
        /// <summary>The failure in one word.</summary>
        public string Reason => Fault.Word;
    }
}
