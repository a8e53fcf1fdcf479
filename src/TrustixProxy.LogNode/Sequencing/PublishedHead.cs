using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Sequencing;

/// <summary>The newest head, as readers see it: durable before it is seen.</summary>
/// <param name="Message">The head.</param>
internal sealed record PublishedHead(LogHead Message)
{
    /// <summary>How many entries the log has.</summary>
    public long Size => (long)Message.TreeSize;

    /// <summary>How many heads were ever signed.</summary>
    public long MapHeadSize => (long)Message.MHTreeSize;
}
