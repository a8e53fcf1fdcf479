using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Upstreams;

/// <summary>What upstreams, and whoever shares the machine, tried in a review. Each of these once got through.</summary>
public sealed class HostileUpstreamTests
{
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(0.5);

    /// <summary>The least xz stream there is: it holds nothing.</summary>
    private static readonly byte[] EmptyXz = Convert.FromHexString("fd377a585a000004e6d6b446000000001cdf44211fb6f37d010000000004595a");

    [Fact]
    public async Task A_length_that_a_narinfo_names_is_never_promised()
    {
        const int promised = 256 << 10;
        var output = TestOutput.Make(size: 100_000);
        var evil = TestOutput.Make(size: 100_000).File("xz");
        var padded = evil.Concat(new byte[(4 - (evil.Length % 4)) % 4]).ToList();
        while (padded.Count + EmptyXz.Length <= promised)
        {
            padded.AddRange(EmptyXz);
        }

        padded.AddRange(new byte[promised - padded.Count]);
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Publish(output, "alice", "bob", "carol");
        proxy.Upstream()
            .Add(output, "xz", text => System.Text.RegularExpressions.Regex.Replace(text, "FileSize: [0-9]+", $"FileSize: {promised}"));
        await proxy.StartAsync();
        var narInfo = await proxy.NarInfoAsync(output);
        proxy.Upstream().Intercept = async context =>
        {
            if (context.Request.Path.StartsWithSegments("/nar"))
            {
                await context.Response.Body.WriteAsync((byte[])[.. padded, 0]);
                await context.Response.Body.FlushAsync();
                await Task.Delay(TimeSpan.FromSeconds(5), context.RequestAborted);
            }

            return context.Request.Path.StartsWithSegments("/nar");
        };

        await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(4));
            using var response = await proxy.Client.GetAsync(new Uri(proxy.Url, narInfo.Url), limit.Token);
            response.EnsureSuccessStatusCode();
            await response.Content.ReadAsByteArrayAsync(limit.Token);
        });
    }

    [Fact]
    public async Task A_wrong_length_in_a_narinfo_spoils_no_honest_file()
    {
        var output = TestOutput.Make(size: 1_000_000);
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Publish(output, "alice", "bob");
        proxy.Upstream()
            .Add(output, "zstd", text => System.Text.RegularExpressions.Regex.Replace(text, "FileSize: [0-9]+", "FileSize: 100000"));
        proxy.Upstream().Lie = UpstreamLie.Chunked;
        await proxy.StartAsync();

        Assert.Equal(output.File("zstd"), await proxy.NarAsync(await proxy.NarInfoAsync(output)));
    }

    [Theory]
    [InlineData(UpstreamLie.Hang)]
    [InlineData(UpstreamLie.Drip)]
    [InlineData(UpstreamLie.Reset)]
    [InlineData(UpstreamLie.Html)]
    public async Task A_nar_begins_within_the_deadline_when_the_first_upstream_keeps_its_narinfo_and_no_more(UpstreamLie lie)
    {
        var output = TestOutput.Make(size: 1_000_000);
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.AddUpstreamAsync("second");
        await proxy.Publish(output, "alice", "bob").StartAsync();
        var narInfo = await proxy.NarInfoAsync(output);
        proxy.Upstream().Lie = lie; // its narinfo is known

        var watch = Stopwatch.StartNew();
        Assert.Equal(output.Nar, await proxy.NarAsync(narInfo));
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(2) + Slack);
    }

    [Fact]
    public async Task A_nar_whose_only_upstream_stays_silent_is_refused_after_its_nar_deadline()
    {
        var output = TestOutput.Make(size: 1_000_000);
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.NarDeadline = TimeSpan.FromSeconds(2);
        await proxy.Publish(output, "alice", "bob").StartAsync();
        var narInfo = await proxy.NarInfoAsync(output);
        proxy.Upstream().Lie = UpstreamLie.Hang;

        var watch = Stopwatch.StartNew();
        using var response = await proxy.Client.GetAsync(new Uri(proxy.Url, narInfo.Url));
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(2) + Slack);
    }

    [Fact]
    public async Task A_narinfo_names_another_upstreams_file_once_the_one_it_named_is_gone()
    {
        var output = TestOutput.Make(size: 10_000);
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.AddUpstreamAsync("second");
        proxy.Publish(output, "alice", "bob");
        proxy.Upstream().Add(output, "xz");
        proxy.Upstream("second").Add(output, "zstd");
        await proxy.StartAsync();
        var first = await proxy.NarInfoAsync(output);
        Assert.Equal("xz", first.Compression);

        await proxy.Upstream().StopAsync();
        using var refused = await proxy.Client.GetAsync(new Uri(proxy.Url, first.Url)); // those very bytes are gone
        Assert.Equal(HttpStatusCode.NotFound, refused.StatusCode);

        await Eventually.UntilAsync(async () => (await proxy.NarInfoAsync(output)).Compression is "zstd"); // made in the background
        var second = await proxy.NarInfoAsync(output);
        Assert.Equal(output.File("zstd"), await proxy.NarAsync(second));
    }

    [Theory]
    [InlineData("//")]
    [InlineData("///")]
    [InlineData("//:80/")]
    [InlineData("//[::1")]
    [InlineData("//a:99999/")]
    [InlineData("//%00/")]
    public async Task A_redirect_to_nowhere_is_that_upstreams_failure_alone(string location)
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.AddUpstreamAsync("second");
        proxy.Publish(output, "alice", "bob");
        proxy.Upstream().Intercept = context =>
        {
            context.Response.StatusCode = StatusCodes.Status302Found;
            context.Response.Headers.Location = location;
            return Task.FromResult(true);
        };
        await proxy.StartAsync();

        Assert.Equal(output.Nar, await proxy.NarAsync(await proxy.NarInfoAsync(output)));
    }

    [Fact]
    public async Task A_range_past_the_end_of_one_upstreams_short_file_comes_from_the_next()
    {
        var output = TestOutput.Make(size: 500_000);
        var file = output.File("zstd");
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.AddUpstreamAsync("second");
        proxy.Publish(output, "alice", "bob");
        proxy.Upstream().Add(output, "zstd");
        proxy.Upstream("second").Add(output, "zstd");
        await proxy.StartAsync();
        var narInfo = await proxy.NarInfoAsync(output);
        proxy.Upstream().Lie = UpstreamLie.ShortFile;

        var from = file.Length * 3 / 4;
        using var response = await GetRangeAsync(proxy, narInfo.Url, from);
        Assert.Equal(HttpStatusCode.PartialContent, response.StatusCode);
        Assert.Equal(file[from..], await response.Content.ReadAsByteArrayAsync());

        using var beyond = await GetRangeAsync(proxy, narInfo.Url, file.Length + 5);
        Assert.Equal((HttpStatusCode.RequestedRangeNotSatisfiable, $"bytes */{file.Length}"),
            (beyond.StatusCode, beyond.Content.Headers.ContentRange?.ToString()));
    }

    [Fact]
    public async Task Nothing_of_a_clients_request_reaches_an_upstream()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(output, "alice", "bob").StartAsync();
        var narInfo = await proxy.NarInfoAsync(output);
        var (headers, body) = ("", -1);
        proxy.Upstream().Intercept = async context =>
        {
            if (context.Request.Path == "/nix-cache-info")
            {
                return false; // a probe, which is sent beside requests that take long
            }

            headers = string.Join('\n', context.Request.Headers.Select(header => $"{header.Key}: {header.Value}"));
            using var copy = new MemoryStream();
            await context.Request.Body.CopyToAsync(copy);
            body = (int)copy.Length;
            return false;
        };

        using var request = new HttpRequestMessage(
            HttpMethod.Get, new Uri(proxy.Url, narInfo.Url))
        { Content = new StringContent("SECRET") };
        request.Headers.Add("Cookie", "SECRET");
        request.Headers.Connection.Add("Upgrade");
        request.Headers.Upgrade.Add(new("websocket"));
        using var response = await proxy.Client.SendAsync(request);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(0, body);
        Assert.DoesNotContain("SECRET", headers, StringComparison.Ordinal);
        Assert.DoesNotContain("websocket", headers, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_state_database_that_another_process_holds_delays_no_answer()
    {
        var (output, earlier) = (TestOutput.Make(), TestOutput.Make("earlier-1.0"));
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(output, "alice", "bob").Publish(earlier, "alice", "bob").StartAsync();
        await proxy.NarInfoAsync(earlier); // so that it has views of the logs, which are kept before they are believed
        using var other = new SqliteConnection($"Data Source={Path.Combine(proxy.StateDirectory, "state.sqlite")};Pooling=False");
        other.Open();
        using var hold = other.BeginTransaction(deferred: false);

        var watch = Stopwatch.StartNew();
        Assert.Equal(output.Nar, await proxy.NarAsync(await proxy.NarInfoAsync(output)));
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(2) + Slack);
    }

    [Fact]
    public async Task A_kept_view_that_was_damaged_silences_its_log_no_longer_than_until_its_next_head()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(output, "alice", "bob").StartAsync();
        await proxy.NarInfoAsync(output);
        await proxy.StopAsync();
        using (var other = new SqliteConnection($"Data Source={Path.Combine(proxy.StateDirectory, "state.sqlite")};Pooling=False"))
        {
            other.Open();
            using var damage = other.CreateCommand();
            damage.CommandText = "UPDATE log_view SET head = x'00'; DELETE FROM decision;";
            damage.ExecuteNonQuery();
        }

        await proxy.StartAsync();
        Assert.Equal(output.Path, (await proxy.NarInfoAsync(output)).StorePath);
        Assert.Contains(proxy.Lines, line => line.Contains("damaged", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_log_that_one_process_froze_votes_in_none_that_shares_its_state()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(output, "alice", "bob").StartAsync();
        await proxy.NarInfoAsync(output);
        using (var other = new SqliteConnection($"Data Source={Path.Combine(proxy.StateDirectory, "state.sqlite")};Pooling=False"))
        {
            other.Open();
            using var freeze = other.CreateCommand();
            freeze.CommandText = $"UPDATE log_view SET fault = '{{}}' WHERE log_id = '{proxy.Log("alice").Log.Signer.Key.LogId}'";
            Assert.Equal(1, freeze.ExecuteNonQuery());
        }

        await Task.Delay(1100); // so long it may go unnoticed
        var answer = await proxy.AskAsync(output.Path);
        Assert.Equal((HttpStatusCode.NotFound, "undecided"), (answer.Status, answer.Decision));
        Assert.Contains("alice=silent(frozen)", answer.Text, StringComparison.Ordinal);
    }

    private static Task<HttpResponseMessage> GetRangeAsync(TestProxy proxy, string url, long from)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri(proxy.Url, url));
        request.Headers.Range = new(from, null);
        return proxy.Client.SendAsync(request);
    }
}
