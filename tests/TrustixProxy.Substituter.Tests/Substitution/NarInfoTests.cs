using System.Net;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Substitution;

public sealed class NarInfoTests
{
    [Fact]
    public async Task What_two_of_three_logs_agree_on_is_served_signed_by_us()
    {
        var output = TestOutput.Make("hello-1.0", 1000, TestOutput.PathOf("glibc-2.40"), TestOutput.PathOf("zlib-1.3"));
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(output, "alice", "bob").StartAsync();

        var narInfo = await proxy.NarInfoAsync(output);

        Assert.Equal(output.Statement.References.Order(), narInfo.References);
        Assert.Equal("proxy-test-1", Assert.Single(narInfo.Signatures).KeyName);
        Assert.Equal(output.Nar, await proxy.NarAsync(narInfo));
    }

    [Fact]
    public async Task The_answer_says_what_it_is()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(output, "alice", "bob", "carol").StartAsync();

        using var response = await proxy.Client.GetAsync(new Uri(proxy.Url, $"{output.Path.Digest}.narinfo"));

        Assert.Equal("text/x-nix-narinfo", response.Content.Headers.ContentType?.ToString());
        Assert.Equal("agreed", response.Headers.GetValues("X-Trustix-Decision").Single());
        Assert.Equal((await response.Content.ReadAsByteArrayAsync()).Length, response.Content.Headers.ContentLength);
    }

    [Fact]
    public async Task A_head_request_has_the_headers_and_no_body()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(output, "alice", "bob").StartAsync();
        var narInfo = await proxy.NarInfoAsync(output);

        var answer = await proxy.AskAsync(output.Path, HttpMethod.Head);
        var nar = await proxy.AskAsync(narInfo.Url, HttpMethod.Head);
        var absent = await proxy.AskAsync(TestOutput.PathOf("absent"), HttpMethod.Head);

        Assert.Equal((HttpStatusCode.OK, "agreed", ""), (answer.Status, answer.Decision, answer.Text));
        Assert.Equal((HttpStatusCode.OK, "agreed", ""), (nar.Status, nar.Decision, nar.Text));
        Assert.Equal((HttpStatusCode.NotFound, "no-upstream", ""), (absent.Status, absent.Decision, absent.Text));
    }

    [Fact]
    public async Task Different_outputs_without_a_quorum_are_a_conflict_whose_reason_is_told()
    {
        var output = TestOutput.Make();
        var other = output.Forge();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Log("carol").Publish(other.Statement);
        await proxy.Publish(output, "alice").StartAsync();

        var answer = await proxy.AskAsync(output.Path);

        Assert.Equal((HttpStatusCode.NotFound, "conflict"), (answer.Status, answer.Decision));
        Assert.Equal($"2 of 3 needed: alice={output.Statement.NarHash}, bob=absent, carol={other.Statement.NarHash}\n", answer.Text);
    }

    [Fact]
    public async Task What_one_log_alone_says_is_undecided()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(output, "bob").StartAsync();

        var answer = await proxy.AskAsync(output.Path);

        Assert.Equal((HttpStatusCode.NotFound, "undecided"), (answer.Status, answer.Decision));
        Assert.Equal($"2 of 3 needed: alice=absent, bob={output.Statement.NarHash}, carol=absent\n", answer.Text);
    }

    [Fact]
    public async Task A_rogue_log_is_outvoted_or_vetoes_as_the_policy_says()
    {
        foreach (var (dissent, expected) in new[] { (Dissent.Outvoted, "agreed"), (Dissent.Veto, "conflict") })
        {
            var output = TestOutput.Make();
            await using var proxy = await TestProxy.WithThreeLogsAsync();
            proxy.Dissent = dissent;
            proxy.Publish(output, "alice", "bob");
            proxy.Log("carol").Publish(output.Forge().Statement);
            await proxy.StartAsync();

            Assert.Equal(expected, (await proxy.AskAsync(output.Path)).Decision);
        }
    }

    [Fact]
    public async Task An_operator_has_one_vote_however_many_logs_it_runs()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.ChangeElector = elector => elector with { Operator = elector.Name is "carol" ? "carol" : "alice and bob" };
        await proxy.Publish(output, "alice", "bob").StartAsync();

        var answer = await proxy.AskAsync(output.Path);

        Assert.Equal("undecided", answer.Decision);
        Assert.StartsWith("2 of 2 needed", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Spellings_do_not_matter_and_what_is_signed_does()
    {
        var (a, b) = (TestOutput.PathOf("a"), TestOutput.PathOf("b"));
        var output = TestOutput.Make("hello", 100, a, b);
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        var other = $$"""{"references":["{{b.Absolute}}","{{a.Absolute}}","{{b.Absolute}}"],"extra":{"x":[1]},"narSize":{{output.Nar.Length}},"narHash":"{{output.Statement.NarHash.ToBase16()}}","path":"{{output.Path.Absolute}}"}""";
        proxy.Log("bob").Log.Add(output.Statement.Key, System.Text.Encoding.ASCII.GetBytes(other));
        await proxy.Publish(output, "alice").StartAsync();

        Assert.Equal("agreed", (await proxy.AskAsync(output.Path)).Decision);
    }

    [Fact]
    public async Task A_path_that_no_upstream_has_is_absent_at_once()
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.StartAsync();
        var path = TestOutput.PathOf("nowhere");

        var answer = await proxy.AskAsync(path);

        Assert.Equal((HttpStatusCode.NotFound, "no-upstream"), (answer.Status, answer.Decision));
        Assert.Equal($"no upstream has {path.Digest}\n", answer.Text);
    }

    [Fact]
    public async Task A_path_published_a_moment_after_the_heads_were_fetched_is_served()
    {
        var (before, after) = (TestOutput.Make("before"), TestOutput.Make("after"));
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(before, "alice", "bob", "carol").StartAsync();
        await proxy.NarInfoAsync(before);
        await Task.Delay(1100);

        proxy.Publish(after, "alice", "bob");

        Assert.Equal("agreed", (await proxy.AskAsync(after.Path)).Decision);
    }

    [Fact]
    public async Task The_cache_info_is_our_own_whatever_an_upstream_says()
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Upstream().AddFile("/nix-cache-info", "StoreDir: /evil\nGetNarInfosV1: /bulk\n"u8.ToArray());
        await proxy.StartAsync();

        var answer = await proxy.AskAsync("nix-cache-info");

        Assert.Equal("StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 30\n", answer.Text);
        Assert.Empty(proxy.Upstream().Requests);
    }

    [Theory]
    [InlineData("")]
    [InlineData("narinfo")]
    [InlineData(".narinfo")]
    [InlineData("short.narinfo")]
    [InlineData("eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee.narinfo")]
    [InlineData("G3mvg9q2slaizvvc5jsr2azpgmjph5r7.narinfo")]
    [InlineData("g3mvg9q2slaizvvc5jsr2azpgmjph5r7.narinfo/")]
    [InlineData("x/g3mvg9q2slaizvvc5jsr2azpgmjph5r7.narinfo")]
    [InlineData("nar/")]
    [InlineData("nar/../nix-cache-info.nar")]
    [InlineData("nar/0lxjvvpr59c2mdram7ympy5ay741f180kv3349hvfc3f8nrmbqf6.nar.xz")]
    [InlineData("log/")]
    [InlineData("log/g3mvg9q2slaizvvc5jsr2azpgmjph5r7-src")]
    [InlineData("log/g3mvg9q2slaizvvc5jsr2azpgmjph5r7-src.drv/")]
    [InlineData("log/x/g3mvg9q2slaizvvc5jsr2azpgmjph5r7-src.drv")]
    [InlineData("log/..%2fnix-cache-info.drv")]
    [InlineData("log/g3mvg9q2slaizvvc5jsr2azpgmjph5r7-..%2f..%2fsrc.drv")]
    [InlineData("log/g3mvg9q2slaizvvc5jsr2azpgmjph5r7-a%0d%0ab.drv")]
    [InlineData(".ls")]
    [InlineData("short.ls")]
    [InlineData("x/g3mvg9q2slaizvvc5jsr2azpgmjph5r7.ls")]
    [InlineData("realisations/sha256:abc!out.doi")]
    [InlineData("debuginfo/1234")]
    public async Task Anything_else_is_not_found_and_goes_nowhere(string path)
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.StartAsync();

        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(path)).Status);
        Assert.Empty(proxy.Upstream().Requests);
    }

    [Theory]
    [InlineData("PUT")]
    [InlineData("POST")]
    [InlineData("DELETE")]
    public async Task Writing_is_not_allowed(string method)
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.StartAsync();

        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await proxy.AskAsync("nix-cache-info", new HttpMethod(method))).Status);
        Assert.Equal(HttpStatusCode.MethodNotAllowed,
            (await proxy.AskAsync("g3mvg9q2slaizvvc5jsr2azpgmjph5r7.narinfo", new HttpMethod(method))).Status);
    }

    [Fact]
    public async Task Nothing_of_a_clients_request_reaches_an_upstream()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        var seen = new System.Collections.Concurrent.ConcurrentBag<string>();
        proxy.Upstream().Intercept = context =>
        {
            foreach (var header in context.Request.Headers)
            {
                seen.Add(header.Key);
            }

            return Task.FromResult(false);
        };
        await proxy.Publish(output, "alice", "bob").StartAsync();
        proxy.Client.DefaultRequestHeaders.Add("Authorization", "Basic c2VjcmV0");
        proxy.Client.DefaultRequestHeaders.Add("Cookie", "a=b");
        proxy.Client.DefaultRequestHeaders.Add("X-Forwarded-For", "10.1.2.3");
        proxy.Client.DefaultRequestHeaders.Add("Accept-Encoding", "zstd, br");

        await proxy.NarAsync(await proxy.NarInfoAsync(output));

        Assert.Equal(["Host", "User-Agent"], seen.Distinct().Order());
    }

    [Fact]
    public async Task Signatures_of_others_for_the_same_claim_stay_beside_ours()
    {
        var output = TestOutput.Make();
        var other = NixSecretKey.Generate("cache.example.org-1");
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(output, "alice", "bob").StartAsync();
        proxy.Upstream().Add(output, change: text => $"{text}Sig: {other.Sign(output.NarInfo().Fingerprint)}\nSig: short:c2hvcnQ=\nSig: "
            + $"proxy-test-1:{Convert.ToBase64String(new byte[64])}\n");

        var narInfo = await proxy.NarInfoAsync(output);

        Assert.Equal(["proxy-test-1", "cache.example.org-1"], narInfo.Signatures.Select(signature => signature.KeyName));
    }
}
