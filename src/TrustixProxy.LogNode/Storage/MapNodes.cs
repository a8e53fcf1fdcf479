using TrustixProxy.TransparencyLog;

namespace TrustixProxy.LogNode.Storage;

/// <summary>The stored map, for readers.</summary>
internal static class MapNodes
{
    /// <summary>The map as it was under this head; each page is read once, so use the result for all proofs of one answer.</summary>
    public static SparseMerkleMap Of(LogReader reader, KeptHead head)
    {
        var pages = new Dictionary<MapPageAddress, MapPage?>();
        return new SparseMerkleMap(address =>
        {
            if (!pages.TryGetValue(address, out var page))
            {
                pages.Add(address, page = reader.FindPage(address, head) is { } bytes ? MapPage.Decode(bytes) : null);
            }

            return page;
        });
    }
}
