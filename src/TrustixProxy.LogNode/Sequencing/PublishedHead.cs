using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Sequencing;

/// <summary>A head as readers see it; durable before it is visible.</summary>
/// <param name="MapRoot">Number of the page at the root of its map; 0 for the empty map.</param>
/// <param name="NotesOnDemand">Signs the head's checkpoints when the first reader asks; null for a log without origin.</param>
internal sealed record PublishedHead(LogHead Message, long MapRoot, Lazy<HeadNotes>? NotesOnDemand = null)
{
    /// <summary>The head's checkpoints; null for a log without origin.</summary>
    public HeadNotes? Notes => NotesOnDemand?.Value;

    /// <summary>Number of entries of the log.</summary>
    public long Size => WireNumber.OfOurs(Message.TreeSize);

    /// <summary>Number of heads ever signed.</summary>
    public long MapHeadSize => WireNumber.OfOurs(Message.MHTreeSize);
}
