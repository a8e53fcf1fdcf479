using System.Net;
using System.Text;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Substituter.Hosting;
using TrustixProxy.Substituter.Revocations;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Substitution;

/// <summary>Where an output was built to is answered if signed caches agree on it, and the path is itself served.</summary>
public sealed class BuildTraceTests
{
    private static readonly TraceKey Old = KeyOf($"realisations/sha256:{new string('a', 64)}!out.doi"),
        New = KeyOf("build-trace-v2/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-hello-1.0.drv/out.doi");

    public static TheoryData<string> Addresses => new(Old.Address, New.Address);

    [Theory]
    [MemberData(nameof(Addresses))]
    public async Task What_two_of_three_caches_agree_on_is_answered_with_our_signature_alone(string address)
    {
        await using var stage = await Stage.MakeAsync();
        var key = KeyOf(address);
        stage.Trace(key, stage.Output, "alice", "bob");
        stage.Trace(key, stage.Other, "carol");
        await stage.Proxy.StartAsync();

        using var response = await stage.Proxy.Client.GetAsync(new Uri(stage.Proxy.Url, address));

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("application/json", response.Content.Headers.ContentType?.ToString());
        Assert.Equal("agreed", response.Headers.GetValues("X-Trustix-Decision").Single());
        Assert.True(BuildTrace.TryParse(key, await response.Content.ReadAsByteArrayAsync(), out var trace));
        Assert.Equal(stage.Output.Path, trace.OutPath);
        Assert.True(stage.Proxy.Key.PublicKey.Verify(trace.Fingerprint, Assert.Single(trace.Signatures)));
        using var audit = new SignatureAudit(stage.Proxy.StateDirectory);
        var entry = Assert.Single(audit.Read(default, 100), entry => entry.Bundle is null);
        Assert.Equal((trace.Fingerprint, stage.Output.Path.Absolute), (entry.Fingerprint, entry.Path));
    }

    [Theory]
    [MemberData(nameof(Addresses))]
    public async Task A_conflict_shows_both_traces_and_serves_neither(string address)
    {
        await using var stage = await Stage.MakeAsync();
        var key = KeyOf(address);
        stage.Trace(key, stage.Output, "alice");
        stage.Trace(key, stage.Other, "bob");
        await stage.Proxy.StartAsync();

        var answer = await stage.Proxy.AskAsync(address);

        Assert.Equal((HttpStatusCode.NotFound, "conflict"), (answer.Status, answer.Decision));
        Assert.Equal(
            $"{key.Text}: 2 of 3 needed: alice={stage.Output.Path}, bob={stage.Other.Path}, carol=silent(not-found)\n", answer.Text);
        Assert.Contains(stage.Proxy.Lines, line => line.Contains("Refused the build trace", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_trace_signed_by_another_electors_key_is_no_vote()
    {
        await using var stage = await Stage.MakeAsync();
        stage.Trace(Old, stage.Output, "alice");
        stage.Proxy.Upstream("bob").AddFile($"/{Old.Address}", Bytes(BuildTrace.Write(Old, stage.Output.Path, stage.Keys["alice"])));
        await stage.Proxy.StartAsync();

        var answer = await stage.Proxy.AskAsync(Old.Address);

        Assert.Equal((HttpStatusCode.NotFound, "undecided"), (answer.Status, answer.Decision));
        Assert.Contains("bob=silent(no-signature)", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_trace_to_a_path_that_is_refused_is_refused()
    {
        await using var stage = await Stage.MakeAsync();
        var lone = TestOutput.Make();
        stage.Proxy.Upstream("alice").Add(lone, change: text => Sign(text, lone, stage.Keys["alice"]));
        stage.Trace(Old, lone, "alice", "bob", "carol");
        await stage.Proxy.StartAsync();

        var answer = await stage.Proxy.AskAsync(Old.Address);

        Assert.Equal((HttpStatusCode.NotFound, "undecided"), (answer.Status, answer.Decision));
        Assert.Contains("but that path is not served: 2 of 3 needed", answer.Text, StringComparison.Ordinal);
        using var audit = new SignatureAudit(stage.Proxy.StateDirectory);
        Assert.Empty(audit.Read(default, 100)); // nothing was signed
    }

    [Fact]
    public async Task A_path_of_the_same_digest_and_another_name_is_not_the_one_agreed_on()
    {
        await using var stage = await Stage.MakeAsync();
        Assert.True(StorePath.TryParse($"{stage.Output.Path.Digest}-other", out var named, out _));
        foreach (var (name, key) in stage.Keys)
        {
            stage.Proxy.Upstream(name).AddFile($"/{Old.Address}", Bytes(BuildTrace.Write(Old, named, key)));
        }

        await stage.Proxy.StartAsync();

        Assert.Equal(HttpStatusCode.NotFound, (await stage.Proxy.AskAsync(Old.Address)).Status);
    }

    [Fact]
    public async Task An_agreement_is_kept_while_the_caches_are_away_and_ends_when_its_path_is_revoked()
    {
        await using var stage = await Stage.MakeAsync();
        stage.Trace(Old, stage.Output, "alice", "bob");
        await stage.Proxy.StartAsync();
        var first = await stage.Proxy.AskAsync(Old.Address);
        await stage.Proxy.NarInfoAsync(stage.Output);
        await Eventually.UntilAsync(() => stage.Kept() > 0);

        await stage.Proxy.RestartAsync();
        foreach (var name in stage.Keys.Keys)
        {
            stage.Proxy.Upstream(name).AddFile($"/{Old.Address}", []);
        }

        Assert.Equal((HttpStatusCode.OK, first), (first.Status, await stage.Proxy.AskAsync(Old.Address)));
        using var revoker = new Revoker(stage.Proxy.Options!);
        await revoker.RevokeAsync(new RevokedSubject.Path(stage.Output.Path.Digest), isUndone: false, "no", default);
        Assert.Equal("revoked", (await stage.Proxy.AskAsync(Old.Address)).Decision);
    }

    [Fact]
    public async Task Another_policy_decides_anew()
    {
        await using var stage = await Stage.MakeAsync();
        stage.Trace(Old, stage.Output, "alice", "bob");
        await stage.Proxy.StartAsync();
        Assert.Equal(HttpStatusCode.OK, (await stage.Proxy.AskAsync(Old.Address)).Status);
        await Eventually.UntilAsync(() => stage.Kept() > 0);

        stage.Proxy.Quorum = 3;
        await stage.Proxy.RestartAsync();

        Assert.Equal("undecided", (await stage.Proxy.AskAsync(Old.Address)).Decision);
    }

    [Theory]
    [InlineData(UpstreamLie.Html)]
    [InlineData(UpstreamLie.Huge)]
    [InlineData(UpstreamLie.Hang)]
    [InlineData(UpstreamLie.Reset)]
    [InlineData(UpstreamLie.Drip)]
    [InlineData(UpstreamLie.Unavailable)]
    public async Task One_cache_that_misbehaves_changes_nothing_while_a_quorum_answers(UpstreamLie lie)
    {
        await using var stage = await Stage.MakeAsync();
        stage.Trace(Old, stage.Output, "alice", "bob");
        stage.Proxy.Upstream("carol").Lie = lie;
        await stage.Proxy.StartAsync();

        Assert.Equal(HttpStatusCode.OK, (await stage.Proxy.AskAsync(Old.Address)).Status);
    }

    [Fact]
    public async Task What_no_cache_has_is_asked_for_once_a_minute()
    {
        await using var stage = await Stage.MakeAsync();
        await stage.Proxy.StartAsync();

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => stage.Proxy.AskAsync(Old.Address)));

        Assert.All(answers, answer => Assert.Equal((HttpStatusCode.NotFound, "undecided"), (answer.Status, answer.Decision)));
        Assert.Equal($"GET /{Old.Address}", Assert.Single(stage.Proxy.Upstream("alice").Requests));
    }

    [Fact]
    public async Task A_cache_that_comes_back_is_heard_at_once()
    {
        await using var stage = await Stage.MakeAsync();
        stage.Trace(Old, stage.Output, "alice", "bob");
        stage.Proxy.Upstream("bob").Lie = UpstreamLie.Unavailable;
        await stage.Proxy.StartAsync();
        var cut = await stage.Proxy.AskAsync(Old.Address);

        stage.Proxy.Upstream("bob").Lie = UpstreamLie.None;

        Assert.Equal(HttpStatusCode.NotFound, cut.Status);
        await Eventually.UntilAsync(async () => (await stage.Proxy.AskAsync(Old.Address)).Status is HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_head_request_has_the_headers_and_no_body()
    {
        await using var stage = await Stage.MakeAsync();
        stage.Trace(Old, stage.Output, "alice", "bob");
        await stage.Proxy.StartAsync();

        var answer = await stage.Proxy.AskAsync(Old.Address, HttpMethod.Head);

        Assert.Equal((HttpStatusCode.OK, "agreed", ""), (answer.Status, answer.Decision, answer.Text));
    }

    private static string Unescaped(TraceKey key) => Uri.UnescapeDataString(key.Address);

    private static string Sign(string text, TestOutput output, NixSecretKey key) =>
        $"{text}Sig: {key.Sign(output.NarInfo().Fingerprint)}\n";

    private static TraceKey KeyOf(string address) => TraceKey.TryParse(address, out var key) ? key : throw new ArgumentException(address);

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>Three signed caches, of which two must agree; all of them vouch for both paths.</summary>
    private sealed class Stage : IAsyncDisposable
    {
        public TestProxy Proxy { get; } = new();

        public Dictionary<string, NixSecretKey> Keys { get; } = [];

        public TestOutput Output { get; } = TestOutput.Make();

        public TestOutput Other { get; } = TestOutput.Make();

        public static async Task<Stage> MakeAsync()
        {
            var stage = new Stage();
            foreach (var name in new[] { "alice", "bob", "carol" })
            {
                var key = stage.Keys[name] = NixSecretKey.Generate($"{name}-1");
                var cache = await stage.Proxy.AddUpstreamAsync(name);
                cache.Add(stage.Output, change: text => Sign(text, stage.Output, key));
                cache.Add(stage.Other, change: text => Sign(text, stage.Other, key));
                stage.Proxy.Caches.Add(new CacheOptions(new Elector.Cache(name, name, [key.PublicKey]), cache.Url));
            }

            return stage;
        }

        public void Trace(TraceKey key, TestOutput output, params string[] caches)
        {
            foreach (var name in caches)
            {
                Proxy.Upstream(name).AddFile($"/{Unescaped(key)}", Bytes(BuildTrace.Write(key, output.Path, Keys[name])));
            }
        }

        /// <summary>How many agreements are on disk.</summary>
        public long Kept()
        {
            using var connection = new Microsoft.Data.Sqlite.SqliteConnection(
                $"Data Source={Path.Combine(Proxy.StateDirectory, "state.sqlite")};Mode=ReadOnly;Pooling=False");
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "SELECT count(*) FROM build_trace";
            return (long)command.ExecuteScalar()!;
        }

        public ValueTask DisposeAsync() => Proxy.DisposeAsync();
    }
}
