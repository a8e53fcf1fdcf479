using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Sequencing;

/// <summary>The newest head, as readers see it: durable before it is seen.</summary>
/// <param name="MapRoot">Number of the page at the root of its map; 0 for the empty map.</param>
internal sealed record PublishedHead(LogHead Message, long MapRoot)
{
    /// <summary>How many entries the log has.</summary>
    public long Size => WireNumber.OfOurs(Message.TreeSize);

    /// <summary>How many heads were ever signed.</summary>
    public long MapHeadSize => WireNumber.OfOurs(Message.MHTreeSize);
}
