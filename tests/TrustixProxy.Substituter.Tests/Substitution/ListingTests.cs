using System.Globalization;
using System.Net;
using System.Text;
using TrustixProxy.Nars.Store;
using TrustixProxy.Substituter.Hosting;
using TrustixProxy.Substituter.Revocations;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Substitution;

/// <summary>A listing is made here from the agreed NAR, and never taken from an upstream.</summary>
public sealed class ListingTests
{
    private static readonly TestOutput Output = TestOutput.Of(TestOutput.PathOf("hello-1.0"), nar =>
    {
        nar.Directory();
        nar.Entry("bin");
        nar.Directory();
        nar.Entry("hello");
        nar.File("echo hello"u8, executable: true);
        nar.EndEntry();
        nar.EndDirectory();
        nar.EndEntry();
        nar.Entry("readme");
        nar.Symlink("share/readme");
        nar.EndEntry();
        nar.EndDirectory();
    });

    [Theory]
    [InlineData("none")]
    [InlineData("xz")]
    public async Task It_lists_the_files_of_the_agreed_nar_in_nixs_form(string compression)
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Publish(Output, "alice", "bob").Upstream().Add(Output, compression);
        var forged = """{"version":1,"root":{"type":"directory","entries":{}}}"""u8.ToArray();
        proxy.Upstream().AddFile($"/{Output.Path.Digest}.ls", forged);
        await proxy.StartAsync();

        using var response = await proxy.Client.GetAsync(new Uri(proxy.Url, $"{Output.Path.Digest}.ls"));
        var offset = Encoding.ASCII.GetString(Output.Nar).IndexOf("echo hello", StringComparison.Ordinal);

        Assert.Equal(string.Create(CultureInfo.InvariantCulture, $$$"""
            {"root":{"entries":{"bin":{"entries":{"hello":{"executable":true,"narOffset":{{{offset}}},"size":10,"type":"regular"}},"type":"directory"},"readme":{"target":"share/readme","type":"symlink"}},"type":"directory"},"version":1}
            """), await response.Content.ReadAsStringAsync());
        Assert.Equal("application/json", response.Content.Headers.ContentType?.ToString());
        Assert.Equal("nosniff", response.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.Equal("agreed", response.Headers.GetValues("X-Trustix-Decision").Single());
        Assert.DoesNotContain(proxy.Upstream().Requests, request => request.Contains(".ls", StringComparison.Ordinal));
    }

    [Fact]
    public async Task It_is_made_once_while_it_is_asked_for_again()
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(Output, "alice", "bob").StartAsync();
        var first = await proxy.AskAsync($"{Output.Path.Digest}.ls");
        var asked = proxy.Upstream().Requests.Count;

        var second = await proxy.AskAsync($"{Output.Path.Digest}.ls");
        var head = await proxy.AskAsync($"{Output.Path.Digest}.ls", HttpMethod.Head);

        Assert.Equal(first, second);
        Assert.Equal((HttpStatusCode.OK, "agreed", ""), (head.Status, head.Decision, head.Text));
        Assert.Equal(asked, proxy.Upstream().Requests.Count);
    }

    [Fact]
    public async Task What_is_refused_has_no_listing()
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(Output, "alice").StartAsync();

        var answer = await proxy.AskAsync($"{Output.Path.Digest}.ls");

        Assert.Equal((HttpStatusCode.NotFound, "undecided"), (answer.Status, answer.Decision));
        Assert.Contains("2 of 3 needed", answer.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(UpstreamLie.FlippedByte)]
    [InlineData(UpstreamLie.ShortFile)]
    [InlineData(UpstreamLie.NoFile)]
    public async Task A_wrong_nar_gives_no_listing(UpstreamLie lie)
    {
        var output = TestOutput.Make("big-1.0", 300_000);
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Publish(output, "alice", "bob").Upstream().Lie = lie;
        await proxy.StartAsync();

        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync($"{output.Path.Digest}.ls")).Status);
    }

    [Fact]
    public async Task A_revoked_path_loses_the_listing_that_was_made()
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(Output, "alice", "bob").StartAsync();
        Assert.Equal(HttpStatusCode.OK, (await proxy.AskAsync($"{Output.Path.Digest}.ls")).Status);

        using var revoker = new Revoker(proxy.Options!);
        await revoker.RevokeAsync(new RevokedSubject.Path(Output.Path.Digest), isUndone: false, "no", default);

        var answer = await proxy.AskAsync($"{Output.Path.Digest}.ls");
        Assert.Equal((HttpStatusCode.NotFound, "revoked"), (answer.Status, answer.Decision));
    }

    [Fact]
    public async Task It_comes_from_the_nar_store_when_no_upstream_is_left()
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        var nars = Directory.CreateDirectory(Path.Combine(proxy.StateDirectory, "nars")).FullName;
        proxy.Change = options => options with { NarStore = new NarStoreOptions(nars, 1 << 30, []) };
        await proxy.Publish(Output, "alice", "bob").StartAsync();
        await proxy.NarAsync(await proxy.NarInfoAsync(Output));
        await proxy.Upstream().StopAsync();

        // the file's name comes into the folder a moment before the store knows of it
        await Eventually.UntilAsync(async () => (await proxy.AskAsync($"{Output.Path.Digest}.ls")).Status is HttpStatusCode.OK);
    }
}
