using Microsoft.AspNetCore.Http;
using TrustixProxy.Nix;
using TrustixProxy.Rebuilder.Work;
using TrustixProxy.Testing;

namespace TrustixProxy.Rebuilder.Tests;

public sealed class WorkTests
{
    [Fact]
    public void Of_a_list_the_path_that_holds_back_most_is_first()
    {
        var (rare, held, often) = (TestOutput.PathOf("rare"), TestOutput.PathOf("held"), TestOutput.PathOf("often"));

        var ordered = WorkOrder.Order([new(rare, 1, 0, []), new(often, 5, 0, []), new(held, 1, 3, []), new(often, 7, 0, [])]);

        Assert.Equal([held, often, rare], ordered.Select(item => item.Path));
    }

    [Fact]
    public void Each_list_gets_its_share_whatever_another_claims_and_a_path_of_several_comes_once_with_all_derivers()
    {
        var (common, first, second) = (TestOutput.PathOf("common"), TestOutput.PathOf("a.drv"), TestOutput.PathOf("b.drv"));
        var liar = WorkOrder.Order(Enumerable.Range(0, 500).Select(i =>
            new WantedPath(TestOutput.PathOf($"lie-{i}"), int.MaxValue, int.MaxValue, [])).Prepend(new(common, int.MaxValue, 0, [first])));
        var honest = Enumerable.Range(0, 5).Select(i => new WantedPath(TestOutput.PathOf($"true-{i}"), 1, 0, [])).ToList();
        IReadOnlyList<WantedPath> other = [new(common, 1, 0, [second]), .. honest];

        var shared = WorkOrder.Share([liar, other, [], honest]);

        var order = shared.Select(item => item.Path).ToList();
        Assert.Equal(506, order.Distinct().Count());
        Assert.Equal(506, order.Count);
        Assert.All(honest, item => Assert.InRange(order.IndexOf(item.Path), 0, 8));
        Assert.Equal(new HashSet<StorePath> { first, second }, shared.Single(item => item.Path == common).Derivers.ToHashSet());
        Assert.Empty(WorkOrder.Share([]));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(12)]
    [InlineData(63)]
    [InlineData(200)]
    public void Turns_in_a_row_begin_at_different_paths_and_each_takes_all(int paths)
    {
        var list = WorkOrder.Order(Enumerable.Range(0, paths).Select(i => new WantedPath(TestOutput.PathOf($"p{i}"), 1, 0, [])));
        var window = Math.Min(paths, WorkOrder.Window);

        var turned = Enumerable.Range(0, window).Select(i => WorkOrder.Turn(list, long.MaxValue - i)).ToList();

        Assert.Equal(window, turned.Select(order => order[0].Path).Distinct().Count());
        Assert.All(turned, order => Assert.Equal(list.Select(item => item.Path).ToHashSet(), order.Select(item => item.Path).ToHashSet()));
        Assert.Equal(list.Skip(WorkOrder.Window).Select(item => item.Path), turned[0].Skip(WorkOrder.Window).Select(item => item.Path));
        Assert.Empty(WorkOrder.Turn([], 7));
    }

    [Fact]
    public async Task Rebuilders_of_one_name_begin_where_the_lists_turn_says_and_without_one_where_their_store_says()
    {
        var paths = Enumerable.Range(0, 12).Select(i => TestOutput.PathOf($"p{i}")).ToList();
        await using var server = await ListServer.StartAsync($$"""
            { "wanted": [ {{string.Join(", ", paths.Select(path => $$"""{ "storePath": "{{path.Absolute}}" }"""))}} ] }
            """);
        async Task<StorePath> FirstAsync(string identity)
        {
            using var lists = new WantedLists([server.Url], "secret", TimeProvider.System) { Identity = identity };
            return (await lists.FetchAsync(error => throw new InvalidOperationException(error), default))[0][0].Path;
        }

        var without = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => FirstAsync($"builder /store-{i}")));
        server.Turn = 3;
        var (third, again) = (await FirstAsync("a"), await FirstAsync("b"));
        server.Turn = 4;

        Assert.True(without.Distinct().Count() > 5);
        Assert.Equal(third, again);
        Assert.NotEqual(third, await FirstAsync("a"));
    }

    [Fact]
    public async Task A_list_is_fetched_with_its_token_and_a_missing_one_does_not_stop_the_others()
    {
        var path = TestOutput.PathOf("hello");
        await using var good = await ListServer.StartAsync($$"""
            { "wanted": [ { "storePath": "{{path.Absolute}}", "requests": 3, "roots": 1, "reason": "votes", "missing": ["bob"],
              "derivers": ["{{path.Absolute}}.drv", "/etc/passwd"] }, { "storePath": "/etc/shadow" } ] }
            """);
        await using var bad = await ListServer.StartAsync("{ \"wanted\": 7 }");
        using var lists = new WantedLists([new Uri("http://127.0.0.1:1"), bad.Url, good.Url], "secret", TimeProvider.System);
        var told = new List<string>();

        var wanted = await lists.FetchAsync(told.Add, default);

        var item = Assert.Single(wanted.SelectMany(list => list));
        Assert.Equal((path, 3, 1), (item.Path, item.Requests, item.Roots));
        Assert.Equal([$"{path}.drv"], item.Derivers.Select(deriver => deriver.ToString()));
        Assert.Equal(2, told.Count);
        Assert.Contains("is not a work list", told[1], StringComparison.Ordinal);
    }

    [Fact]
    public void A_list_names_no_derivation_to_build_and_only_derivations_as_hints()
    {
        var (path, hint) = (TestOutput.PathOf("hello"), TestOutput.PathOf("hello.drv"));

        Assert.True(Read($$"""
            { "wanted": [ { "storePath": "{{hint.Absolute}}" },
              { "storePath": "{{path.Absolute}}", "derivers":
                [ "{{path.Absolute}}", "{{hint.In(Store.Guix).Absolute}}", "{{hint.Absolute}}" ] } ] }
            """, out var wanted, out _));

        var item = Assert.Single(wanted);
        Assert.Equal(path, item.Path);
        Assert.Equal(hint, Assert.Single(item.Derivers));
    }

    [Fact]
    public void A_list_of_another_store_is_refused_by_name()
    {
        var path = TestOutput.PathOf("hello").In(Store.Guix);

        Assert.False(Read($$"""{ "wanted": [ { "storePath": "{{path.Absolute}}" } ] }""", out _, out var error));

        Assert.Equal("lists paths in /gnu/store; the rebuilder builds with Nix, so remove this proxy from rebuilder.wanted. 'guix build "
            + "--no-substitutes --check PACKAGE' builds again with Guix", error);
    }

    [Fact]
    public async Task A_list_that_demands_a_token_names_the_key()
    {
        await using var server = await ListServer.StartAsync("{ \"wanted\": [] }");
        using var lists = new WantedLists([server.Url], token: null, TimeProvider.System);
        var told = new List<string>();

        Assert.Empty((await lists.FetchAsync(told.Add, default)).SelectMany(list => list));

        Assert.Contains("401; set rebuilder.wantedTokenFile", Assert.Single(told), StringComparison.Ordinal);
    }

    private static bool Read(string json, out IReadOnlyList<WantedPath> wanted, out string error) =>
        WantedPath.TryRead(System.Text.Encoding.UTF8.GetBytes(json), out wanted, out error);

    private sealed class ListServer(string list) : FakeServer
    {
        /// <summary>The turn that it gives; null for none.</summary>
        public long? Turn { get; set; }

        public static async Task<ListServer> StartAsync(string list)
        {
            var server = new ListServer(list);
            await server.ListenAsync();
            return server;
        }

        protected override Task AnswerAsync(HttpContext context)
        {
            if (Turn is { } turn)
            {
                context.Response.Headers["X-Trustix-Turn"] = $"{turn}";
            }

            context.Response.StatusCode = context.Request.Headers.Authorization == "Bearer secret" ? 200 : 401;
            return context.Request.Path == "/wanted" ? context.Response.WriteAsync(list) : Task.CompletedTask;
        }
    }
}
