using System.Net;
using System.Text.Json;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Substitution;

/// <summary>A build ID leads to a NAR that is agreed on, or nowhere.</summary>
public sealed class DebugInfoTests
{
    private const string BuildId = "c6e8b3f0a1b2c3d4e5f60718293a4b5c6d7e8f90", Address = $"debuginfo/{BuildId}.debug",
        Member = "lib/debug/.build-id/c6/e8b3f0a1b2c3d4e5f60718293a4b5c6d7e8f90.debug";

    [Fact]
    public async Task It_names_the_address_at_which_the_agreed_nar_is_served()
    {
        var output = TestOutput.Make("hello-1.0-debug");
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await StartAsync(proxy, output, "alice", "bob");

        var answer = await proxy.AskAsync(Address);
        using var json = JsonDocument.Parse(answer.Text);

        Assert.Equal((HttpStatusCode.OK, "agreed"), (answer.Status, answer.Decision));
        Assert.Equal(Member, json.RootElement.GetProperty("member").GetString());
        var archive = new Uri(new Uri(proxy.Url, Address), json.RootElement.GetProperty("archive").GetString());
        Assert.Equal(output.File("xz"), await proxy.Client.GetByteArrayAsync(archive));
    }

    [Fact]
    public async Task The_address_may_lack_its_suffix()
    {
        var output = TestOutput.Make("hello-1.0-debug");
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await StartAsync(proxy, output, "alice", "bob");
        proxy.Upstream().AddFile($"/debuginfo/{BuildId}", JsonOf(output));

        Assert.Equal((await proxy.AskAsync(Address)).Text, (await proxy.AskAsync($"debuginfo/{BuildId}")).Text);
    }

    [Fact]
    public async Task It_is_known_after_a_restart_and_gone_when_the_path_is_refused()
    {
        var output = TestOutput.Make("hello-1.0-debug");
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await StartAsync(proxy, output, "alice", "bob");

        await proxy.RestartAsync();
        var known = await proxy.AskAsync(Address);
        proxy.Quorum = 3;
        await proxy.RestartAsync();

        Assert.Equal(HttpStatusCode.OK, known.Status);
        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(Address)).Status);
    }

    [Theory]
    [InlineData("""{"archive":"../nar/FILE.nar.xz","member":"etc/passwd"}""")]
    [InlineData("""{"archive":"../nar/FILE.nar.xz"}""")]
    [InlineData("""{"archive":"../nar/FILE.nar.xz","member":"MEMBER","archive":"../nar/FILE.nar.xz"}""")]
    [InlineData("""{"archive":"http://elsewhere.example/nar/FILE.nar.xz","member":"MEMBER"}""")]
    [InlineData("""{"archive":"//elsewhere.example/nar/FILE.nar.xz","member":"MEMBER"}""")]
    [InlineData("""{"archive":"../../nar/FILE.nar.xz","member":"MEMBER"}""")]
    [InlineData("""{"archive":"../nar/../FILE.nar.xz","member":"MEMBER"}""")]
    [InlineData("""{"archive":"../nar/FILE.nar.exe","member":"MEMBER"}""")]
    [InlineData("""{"archive":"../nar/0lxjvvpr59c2mdram7ympy5ay741f180kv3349hvfc3f8nrmbqf6.nar.xz","member":"MEMBER"}""")]
    [InlineData("""{"archive":7,"member":"MEMBER"}""")]
    [InlineData("<html>")]
    [InlineData("null")]
    public async Task What_names_anything_else_leads_nowhere(string json)
    {
        var output = TestOutput.Make("hello-1.0-debug");
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await StartAsync(proxy, output, "alice", "bob");
        Assert.Equal(HttpStatusCode.OK, (await proxy.AskAsync(Address)).Status);

        proxy.Upstream().AddFile($"/{Address}", System.Text.Encoding.UTF8.GetBytes(
            json.Replace("FILE", FileOf(output), StringComparison.Ordinal).Replace("MEMBER", Member, StringComparison.Ordinal)));

        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(Address)).Status);
    }

    [Fact]
    public async Task An_archive_that_was_never_decided_on_leads_nowhere()
    {
        var output = TestOutput.Make("hello-1.0-debug");
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Upstream().AddFile($"/{Address}", JsonOf(output));
        await proxy.Publish(output, "alice", "bob").StartAsync();

        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(Address)).Status);
    }

    [Theory]
    [InlineData("c6e8b3f0a1b2c3d4e5f60718293a4b5c6d7e8f9")]
    [InlineData("c6e8b3f0a1b2c3d4e5f60718293a4b5c6d7e8f900")]
    [InlineData("C6e8b3f0a1b2c3d4e5f60718293a4b5c6d7e8f90")]
    [InlineData("c6e8b3f0a1b2c3d4e5f60718293a4b5c6d7e8f90.debug.debug")]
    [InlineData("c6e8b3f0a1b2c3d4e5f60718293a4b5c6d7e8f90.xdebug")]
    [InlineData("..%2f3f0a1b2c3d4e5f60718293a4b5c6d7e8f9000")]
    public async Task What_is_no_build_id_goes_nowhere(string text)
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.StartAsync();

        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync($"debuginfo/{text}")).Status);
        Assert.Empty(proxy.Upstream().Requests);
    }

    [Fact]
    public async Task An_upstream_that_serves_only_some_names_is_not_asked_since_a_build_id_has_none()
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options => options with { Upstreams = [.. options.Upstreams.Select(known => known with { Except = ["secret-*"] })] };
        await proxy.StartAsync();

        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(Address)).Status);
        Assert.Empty(proxy.Upstream().Requests);
    }

    [Fact]
    public async Task An_upstream_that_hangs_is_not_waited_for_once_another_has_answered_and_its_request_ends()
    {
        var output = TestOutput.Make("hello-1.0-debug");
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options => options with { Deadline = TimeSpan.FromMinutes(10) };
        var (isAsked, hasEnded) = (new TaskCompletionSource(), new TaskCompletionSource());
        var slow = await proxy.AddUpstreamAsync("slow");
        await StartAsync(proxy, output, "alice", "bob");
        slow.Intercept = async context =>
        {
            if (!context.Request.Path.StartsWithSegments("/debuginfo"))
            {
                return false;
            }

            isAsked.TrySetResult();
            await Task.WhenAny(Task.Delay(Timeout.Infinite, context.RequestAborted));
            hasEnded.TrySetResult();
            return true;
        };
        proxy.Upstream().Intercept = async context =>
        {
            if (context.Request.Path.StartsWithSegments("/debuginfo"))
            {
                await isAsked.Task; // else the other request could end before it is sent
            }

            return false;
        };

        Assert.Equal(HttpStatusCode.OK, (await proxy.AskAsync(Address)).Status);

        await hasEnded.Task.WaitAsync(TimeSpan.FromMinutes(1));
    }

    /// <summary>Has an output decided on, so that its file is known.</summary>
    private static async Task StartAsync(TestProxy proxy, TestOutput output, params string[] logs)
    {
        proxy.Publish(output, logs).Upstream().Add(output, "xz");
        proxy.Upstream().AddFile($"/{Address}", JsonOf(output));
        await proxy.StartAsync();
        await proxy.NarInfoAsync(output);
        await Eventually.UntilAsync(async () => (await proxy.AskAsync(Address)).Status is HttpStatusCode.OK);
    }

    private static string FileOf(TestOutput output) => output.NarInfo("xz").FileHash!.Digits;

    private static byte[] JsonOf(TestOutput output) =>
        JsonSerializer.SerializeToUtf8Bytes(new { archive = $"../nar/{FileOf(output)}.nar.xz", member = Member });
}
