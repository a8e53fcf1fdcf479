using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Substitution;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Upstreams;

/// <summary>An upstream that says whatever it likes of a path that is agreed on: the client is never shown anything but the
/// claim.</summary>
public sealed class LyingUpstreamTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(1);

    public static TheoryData<UpstreamLie, string> Failures() => new()
    {
        { UpstreamLie.Unavailable, "http-503" },
        { UpstreamLie.Reset, "connection-reset" },
        { UpstreamLie.Hang, "no-answer|silent" },
        { UpstreamLie.Drip, "no-answer" },
        { UpstreamLie.Html, "not-a-narinfo" },
        { UpstreamLie.Huge, "narinfo-too-large" },
    };

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task A_failing_upstream_is_named_not_remembered_and_asked_again_once_it_is_back(UpstreamLie lie, string reason)
    {
        var output = TestOutput.Make();
        await using var proxy = await AgreedAsync(output);
        proxy.Upstream().Lie = lie;

        var answer = await proxy.AskAsync(output.Path);

        Assert.Equal((HttpStatusCode.NotFound, "no-upstream"), (answer.Status, answer.Decision));
        Assert.Contains("failing upstreams: main=", answer.Text, StringComparison.Ordinal);
        Assert.Matches(reason, answer.Text);
        proxy.Upstream().Lie = UpstreamLie.None;
        await Eventually.UntilAsync(async () => (await proxy.AskAsync(output.Path)).Decision is "agreed");
    }

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task A_failing_upstream_is_not_noticed_where_another_one_has_the_path(UpstreamLie lie, string reason)
    {
        var output = TestOutput.Make();
        await using var proxy = await AgreedAsync(output);
        (await proxy.AddUpstreamAsync("spare")).Add(output);
        await proxy.RestartAsync();
        proxy.Upstream().Lie = lie;

        var timer = Stopwatch.StartNew();
        var narInfo = await proxy.NarInfoAsync(output);
        var nar = await proxy.NarAsync(narInfo);

        Assert.Equal(output.Nar, nar);
        Assert.True(timer.Elapsed < TimeSpan.FromSeconds(1.2), $"{reason}: {timer.Elapsed}");
    }

    [Fact]
    public async Task One_that_comes_back_after_the_first_try_is_not_noticed_either()
    {
        var output = TestOutput.Make();
        await using var proxy = await AgreedAsync(output);
        proxy.Upstream().Lie = UpstreamLie.Unavailable;
        var asking = proxy.AskAsync(output.Path);
        await Eventually.UntilAsync(() => proxy.Upstream().Requests.Count > 0);

        proxy.Upstream().Lie = UpstreamLie.None;

        Assert.Equal("agreed", (await asking).Decision);
    }

    [Fact]
    public async Task Where_the_operator_wants_it_unavailable_is_503_and_absent_is_still_404()
    {
        var (output, absent) = (TestOutput.Make(), TestOutput.PathOf("absent"));
        await using var proxy = await AgreedAsync(output);
        proxy.Change = options =>
            options with { Deadline = Deadline, Answers = options.Answers with { OnUndecided = OnUndecided.Unavailable } };
        await proxy.RestartAsync();

        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(absent)).Status);
        proxy.Upstream().Lie = UpstreamLie.Unavailable;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await proxy.AskAsync(output.Path)).Status);
    }

    public static TheoryData<string, string> Changes() => new()
    {
        { "wrong references", "References: 0jqd0rlxzra1rs38rdxl43yh6rxchgc6-curl-7.82.0" },
        { "injected CA", "CA: fixed:r:sha256:1wmyzqi978bzv8f43375m9ccbzl7ddv9jly3jq0sbl7j5x53qx18" },
        { "injected text CA", "CA: text:sha256:1wmyzqi978bzv8f43375m9ccbzl7ddv9jly3jq0sbl7j5x53qx18" },
        { "malformed CA", "CA: nonsense" },
        { "short Sig", "Sig: proxy-test-1:c2hvcnQ=" },
        { "forged Sig of ours", "Sig: proxy-test-1:" + Convert.ToBase64String(new byte[64]) },
        { "malformed deriver", "Deriver: ../../etc/passwd" },
        { "wrong size", "NarSize: 7" },
        { "unknown field", "Evil: yes" },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task Nothing_but_the_claim_reaches_the_client(string what, string line)
    {
        var output = TestOutput.Make();
        await using var proxy = await AgreedAsync(output);
        var name = line.Split(':')[0];
        proxy.Upstream().Add(output, change: text => string.Concat(text.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(other => !other.StartsWith(name + ":", StringComparison.Ordinal)).Append(line).Select(other => other + "\n")));

        var narInfo = await proxy.NarInfoAsync(output);

        Assert.Empty(narInfo.References);
        Assert.Equal((null, null, "proxy-test-1"), (narInfo.ContentAddress, narInfo.Deriver, Assert.Single(narInfo.Signatures).KeyName));
        Assert.StartsWith("nar/", narInfo.Url, StringComparison.Ordinal);
        Assert.Equal(output.Nar, await proxy.NarAsync(narInfo));
        Assert.NotEmpty(what);
    }

    [Fact]
    public async Task A_content_address_that_fits_goes_out_with_the_claim()
    {
        var nar = TestOutput.Pack(writer => writer.File("contents"u8));
        var hash = NixHash.Sha256(System.Security.Cryptography.SHA256.HashData(nar));
        var (path, line) = ContentAddressed(hash);
        var output = TestOutput.At(path, "contents"u8.ToArray());
        await using var proxy = await AgreedAsync(output);
        proxy.Upstream().Add(output, change: text => text + line);

        Assert.Equal(hash, (await proxy.NarInfoAsync(output)).ContentAddress?.Hash);
    }

    [Fact]
    public async Task A_wrong_name_from_one_upstream_blocks_nothing()
    {
        var output = TestOutput.Make();
        await using var proxy = await AgreedAsync(output);
        (await proxy.AddUpstreamAsync("spare")).Add(output);
        await proxy.RestartAsync();
        proxy.Upstream().Add(output, change: text => text.Replace("-hello-1.0", "-evil-9.9", StringComparison.Ordinal));

        Assert.Equal(output.Path, (await proxy.NarInfoAsync(output)).StorePath);
    }

    [Fact]
    public async Task A_wrong_name_alone_gives_nothing_and_another_paths_narinfo_gives_nothing()
    {
        var (output, other) = (TestOutput.Make(), TestOutput.Make("other"));
        await using var proxy = await AgreedAsync(output);
        proxy.Upstream().Add(output, change: text => text.Replace("-hello-1.0", "-evil-9.9", StringComparison.Ordinal));
        Assert.Equal("undecided", (await proxy.AskAsync(output.Path)).Decision);

        var third = TestOutput.Make("third");
        proxy.Upstream().Add(third, change: _ => other.NarInfo().ToString());
        Assert.Contains("main=narinfo-of-another-path", (await proxy.AskAsync(third.Path)).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_known_from_references_is_asked_for_when_an_upstream_gives_a_wrong_one()
    {
        var inner = TestOutput.Make("inner");
        var outer = TestOutput.Make("outer", 100, inner.Path);
        await using var proxy = await AgreedAsync(outer);
        proxy.Publish(inner, "alice", "bob");
        proxy.Upstream().Add(inner, change: text => text.Replace("-inner", "-evil", StringComparison.Ordinal));
        await proxy.RestartAsync();
        await proxy.NarInfoAsync(outer);

        var narInfo = await proxy.NarInfoAsync(inner);

        Assert.Equal(inner.Path, narInfo.StorePath);
        Assert.Equal(inner.Nar, await proxy.NarAsync(narInfo));
    }

    [Fact]
    public async Task An_absolute_address_is_followed_by_us_and_never_shown()
    {
        var output = TestOutput.Make();
        await using var elsewhere = await FakeUpstream.StartAsync();
        elsewhere.AddFile("/files/x", output.Nar);
        await using var proxy = await AgreedAsync(output);
        proxy.Upstream().Add(output, change: text => text.Replace("URL: nar/", $"URL: {elsewhere.Url}files/x?", StringComparison.Ordinal));

        var narInfo = await proxy.NarInfoAsync(output);

        Assert.StartsWith("nar/", narInfo.Url, StringComparison.Ordinal);
        Assert.Equal(output.Nar, await proxy.NarAsync(narInfo));
        Assert.Single(elsewhere.Requests);
    }

    [Theory]
    [InlineData(5, "agreed")]
    [InlineData(6, "no-upstream")]
    public async Task Redirects_are_followed_five_times(int hops, string expected)
    {
        var output = TestOutput.Make();
        await using var proxy = await AgreedAsync(output);
        proxy.Upstream().Intercept = context =>
        {
            var left = int.Parse(context.Request.Query["left"].FirstOrDefault()
                ?? hops.ToString(System.Globalization.CultureInfo.InvariantCulture), System.Globalization.CultureInfo.InvariantCulture);
            if (left > 0)
            {
                context.Response.Redirect($"{context.Request.Path}?left={left - 1}");
            }

            return Task.FromResult(left > 0);
        };

        Assert.Equal(expected, (await proxy.AskAsync(output.Path)).Decision);
    }

    [Fact]
    public async Task The_upstream_with_the_lowest_priority_is_taken_also_when_it_is_a_little_slower()
    {
        var output = TestOutput.Make();
        await using var proxy = await AgreedAsync(output);
        (await proxy.AddUpstreamAsync("second")).Add(output, "xz");
        await proxy.RestartAsync();
        proxy.Upstream().Delay = TimeSpan.FromMilliseconds(50);

        Assert.Equal("none", (await proxy.NarInfoAsync(output)).Compression);
    }

    [Fact]
    public async Task An_upstream_that_is_much_slower_is_not_waited_for()
    {
        var output = TestOutput.Make();
        await using var proxy = await AgreedAsync(output);
        (await proxy.AddUpstreamAsync("second")).Add(output, "xz");
        await proxy.RestartAsync();
        proxy.Upstream().Delay = TimeSpan.FromSeconds(5);

        var timer = Stopwatch.StartNew();
        Assert.Equal("xz", (await proxy.NarInfoAsync(output)).Compression);
        Assert.True(timer.Elapsed < TimeSpan.FromSeconds(0.8), $"{timer.Elapsed}");
    }

    [Fact]
    public async Task A_nar_that_only_another_build_of_the_path_has_is_not_served()
    {
        var output = TestOutput.Make();
        await using var proxy = await AgreedAsync(output);
        proxy.Upstream().Add(output.Forge());

        var answer = await proxy.AskAsync(output.Path);

        Assert.Equal((HttpStatusCode.NotFound, "no-upstream"), (answer.Status, answer.Decision));
        Assert.Contains("agreed, but no upstream has that NAR", answer.Text, StringComparison.Ordinal);
    }

    private static async Task<TestProxy> AgreedAsync(TestOutput output)
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options => options with { Deadline = Deadline };
        return await proxy.Publish(output, "alice", "bob").StartAsync();
    }

    /// <summary>A path that follows from a recursive hash: source, no references.</summary>
    private static (StorePath Path, string Line) ContentAddressed(NixHash hash)
    {
        var text = $"source:{hash.ToBase16()}:/nix/store:thing";
        var sha = System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.ASCII.GetBytes(text));
        var folded = new byte[20];
        for (var i = 0; i < 32; i++)
        {
            folded[i % 20] ^= sha[i];
        }

        return (StorePath.TryParse($"{Nix32.Encode(folded)}-thing", out var path, out _) ? path
            : throw new InvalidOperationException(), $"CA: fixed:r:{hash}\n");
    }
}
