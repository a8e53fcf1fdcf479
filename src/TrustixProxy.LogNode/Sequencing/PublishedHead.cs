using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Sequencing;

/// <summary>The newest head as readers see it; durable before it is visible.</summary>
/// <param name="MapRoot">Number of the page at the root of its map; 0 for the empty map.</param>
internal sealed record PublishedHead(LogHead Message, long MapRoot)
{
    /// <summary>Number of entries of the log.</summary>
    public long Size => WireNumber.OfOurs(Message.TreeSize);

    /// <summary>Number of heads ever signed.</summary>
    public long MapHeadSize => WireNumber.OfOurs(Message.MHTreeSize);
}
