using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Dashboard;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Dashboard;

/// <summary>A closure as a tree.</summary>
public sealed class ClosureTreeTests
{
    private readonly Dictionary<StorePath, ClosurePath> _paths = [];

    [Fact]
    public void Each_path_stands_once_under_its_nearest_referrer_and_what_is_refused_comes_first()
    {
        var deep = Add("deep", Outcome.Conflict);
        var (left, right) = (Add("a-left", Outcome.Agreed), Add("right", Outcome.Agreed, deep));
        var root = Add("root", Outcome.Agreed, left, right, deep, TestOutput.PathOf("unknown"));

        var tree = ClosureTree.Of(root, Look, 100);

        Assert.Equal(["deep", "a-left", "right", "unknown"], tree.Root.Below.Select(node => node.Found.Path.Name));
        Assert.Equal((5, 1, true), (tree.Paths.Count, tree.Root.Refused, tree.IsWhole));
        Assert.All(tree.Root.Below, node => Assert.Empty(node.Below));
    }

    [Fact]
    public void Refused_paths_count_for_all_above_them_and_circles_end()
    {
        var (one, other) = (TestOutput.PathOf("one"), TestOutput.PathOf("other"));
        var bad = Add("bad", Outcome.NoUpstream);
        _paths[one] = new ClosurePath(one, Outcome.Agreed, [other]);
        _paths[other] = new ClosurePath(other, Outcome.ContentAddressed, [one, bad]);

        var tree = ClosureTree.Of(one, Look, 100);

        Assert.Equal((3, 1), (tree.Paths.Count, tree.Root.Refused));
        Assert.Equal(1, tree.Root.Below[0].Refused);
        Assert.True(tree.Root.Below[0].Below[0].Found.IsRefused);
    }

    [Fact]
    public void It_is_bounded_in_size_and_depth_and_says_so()
    {
        var leaves = Enumerable.Range(0, 50).Select(i => Add($"leaf-{i}", Outcome.Agreed)).ToArray();
        var wide = Add("wide", Outcome.Agreed, leaves);
        var chain = Enumerable.Range(0, 100).Aggregate(leaves[0], (below, i) => Add($"chain-{i}", Outcome.Agreed, below));

        var (cut, deep) = (ClosureTree.Of(wide, Look, 20), ClosureTree.Of(chain, Look, 1000));

        Assert.Equal((20, false), (cut.Paths.Count, cut.IsWhole));
        Assert.Equal((41, false), (deep.Paths.Count, deep.IsWhole));
    }

    private ClosurePath Look(StorePath path) => _paths.GetValueOrDefault(path) ?? new ClosurePath(path, null, []);

    private StorePath Add(string name, Outcome outcome, params StorePath[] references)
    {
        var path = TestOutput.PathOf(name);
        _paths[path] = new ClosurePath(path, outcome, [.. references]);
        return path;
    }
}
