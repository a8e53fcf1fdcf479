using Microsoft.AspNetCore.Http;
using TrustixProxy.Nix;
using TrustixProxy.Rebuilder.Work;
using TrustixProxy.Testing;

namespace TrustixProxy.Rebuilder.Tests;

public sealed class WorkTests
{
    [Fact]
    public void Lists_are_merged_and_the_best_path_is_first()
    {
        var (rare, held, often) = (TestOutput.PathOf("rare"), TestOutput.PathOf("held"), TestOutput.PathOf("often"));
        WantedPath[] wanted = [new(rare, 1, 0, []), new(often, 5, 0, []), new(held, 1, 3, []), new(often, 7, 0, [])];

        var merged = WorkOrder.Merge(wanted);

        Assert.Equal([held, often, rare], merged.Select(item => item.Path));
        Assert.Equal(12, merged[1].Requests);
    }

    [Fact]
    public void Rebuilders_of_one_list_begin_at_different_paths_and_each_takes_all()
    {
        var list = WorkOrder.Merge(Enumerable.Range(0, 200).Select(i => new WantedPath(TestOutput.PathOf($"p{i}"), 1, 0, [])));

        var turned = Enumerable.Range(0, 20).Select(i => WorkOrder.Turn(list, $"builder-{i}")).ToList();

        Assert.True(turned.Select(order => order[0].Path).Distinct().Count() > 12);
        Assert.All(turned, order => Assert.Equal(list.Select(item => item.Path).ToHashSet(), order.Select(item => item.Path).ToHashSet()));
        Assert.Equal(turned[3].Select(item => item.Path), WorkOrder.Turn(list, "builder-3").Select(item => item.Path));
        Assert.Equal(list.Skip(WorkOrder.Window).Select(item => item.Path), turned[0].Skip(WorkOrder.Window).Select(item => item.Path));
        Assert.Empty(WorkOrder.Turn([], "alone"));
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

        var item = Assert.Single(wanted);
        Assert.Equal((path, 3, 1), (item.Path, item.Requests, item.Roots));
        Assert.Equal([$"{path}.drv"], item.Derivers.Select(deriver => deriver.ToString()));
        Assert.Equal(2, told.Count);
        Assert.Contains("is not a work list", told[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_list_that_demands_a_token_names_the_key()
    {
        await using var server = await ListServer.StartAsync("{ \"wanted\": [] }");
        using var lists = new WantedLists([server.Url], token: null, TimeProvider.System);
        var told = new List<string>();

        Assert.Empty(await lists.FetchAsync(told.Add, default));

        Assert.Contains("401; set rebuilder.wantedTokenFile", Assert.Single(told), StringComparison.Ordinal);
    }

    private sealed class ListServer(string list) : FakeServer
    {
        public static async Task<ListServer> StartAsync(string list)
        {
            var server = new ListServer(list);
            await server.ListenAsync();
            return server;
        }

        protected override Task AnswerAsync(HttpContext context)
        {
            context.Response.StatusCode = context.Request.Headers.Authorization == "Bearer secret" ? 200 : 401;
            return context.Request.Path == "/wanted" ? context.Response.WriteAsync(list) : Task.CompletedTask;
        }
    }
}
