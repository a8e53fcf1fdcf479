using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.LogNode.Tests.Storage;

public sealed class MapPagesTests
{
    [Fact]
    public void The_cache_holds_the_newest_of_each_page_near_the_root()
    {
        var (pages, root, cache) = (new Dictionary<long, MapPage>(), 0L, new MapPages.Cache());
        var versions = new List<IReadOnlyList<KeyValuePair<long, MapPage>>>();
        foreach (var (first, count) in new[] { (0, 20_000), (20_000, 1), (20_001, 500) })
        {
            var map = new SparseMerkleMap((number, place) => cache.Find(number, place) ?? pages[number], root);
            for (var i = first; i < first + count; i++)
            {
                map.Insert(new MapLeaf(Digest.Of(BitConverter.GetBytes(i)), Digest.Of([1]), i));
            }

            var changed = map.Commit(root + 1).ToList();
            versions.Add(changed);
            foreach (var (number, page) in changed)
            {
                pages.Add(number, page);
                cache.Keep(number, page);
            }

            root = changed[^1].Key;
        }

        var newest = versions.SelectMany(version => version).Where(page => page.Value.IsNearRoot)
            .GroupBy(page => page.Value.Place).Select(group => group.MaxBy(page => page.Key)).ToList();
        Assert.Equal(1 + 16 + 256 + 4096, MapPage.TopPages);
        Assert.Equal([0, .. Enumerable.Range(1, 16)], newest.Select(page => page.Value.Place).Order().Take(17));
        foreach (var (number, page) in versions[0]) // a reader of an old version brings its pages
        {
            cache.Keep(number, page);
        }

        Assert.All(newest, page => Assert.Same(page.Value, cache.Find(page.Key, page.Value.Place)));
        Assert.Null(cache.Find(versions[0][^1].Key, 0));
        Assert.Null(cache.Find(root, MapPage.TopPages));
        cache.Clear();
        Assert.Null(cache.Find(root, 0));
    }
}
