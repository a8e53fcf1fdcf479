using System.Text;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.AptGate.Tests;

/// <summary>What the door lets through, and to where.</summary>
public sealed class DoorTests
{
    [Theory]
    [InlineData("GET http://evil.example/debian/dists/sid/InRelease")]
    [InlineData("GET http://127.0.0.1/debian/dists/sid/InRelease")]
    [InlineData("CONNECT evil.example:443")]
    [InlineData("OPTIONS *")]
    [InlineData("GET /debian/../dists/sid/InRelease")]
    [InlineData("GET /debian/dists/../dists/sid/InRelease")]
    [InlineData("GET /debian/%2e%2e/dists/sid/InRelease")]
    [InlineData("GET /debian/.%2E/dists/sid/InRelease")]
    [InlineData("GET /debian/dists%2fsid/InRelease")]
    [InlineData("GET /debian/dists%2Fsid/InRelease")]
    [InlineData("GET //debian/dists/sid/InRelease")]
    [InlineData("GET /debian//dists/sid/InRelease")]
    [InlineData("GET /debian\\dists/sid/InRelease")]
    [InlineData("GET /debian/dists%5csid/InRelease")]
    [InlineData("GET /debian/dists/sid/InRelease%00")]
    [InlineData("GET /debian/dists/sid/InRelease%0d%0aX:y")]
    [InlineData("GET /debian/dists/sid/InRelease%252e")]
    [InlineData("GET /debian/dists/sid/InRelease%zz")]
    [InlineData("GET /debian/dists/sid/InRelease?x=y")]
    [InlineData("GET /debian/dists/sid/\u00e4")]
    [InlineData("GET /debian")]
    [InlineData("GET /")]
    public async Task What_is_no_plain_path_of_an_archive_is_refused_and_asked_of_nobody(string line)
    {
        await using var stage = await GateStage.StartAsync();
        stage.Archive.Files["/dists/sid/InRelease"] = "release"u8.ToArray();

        var status = await stage.SendRawAsync($"{line} HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n");

        Assert.Matches("^HTTP/1.1 (400|404|405) ", status);
        Assert.DoesNotContain(stage.Archive.Requests, request => request.Contains("InRelease", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("POST /debian/dists/sid/InRelease HTTP/1.1\r\nHost: gate\r\nContent-Length: 0\r\n\r\n", 405)]
    [InlineData("GET /ubuntu/dists/sid/InRelease HTTP/1.1\r\nHost: gate\r\n\r\n", 404)]
    [InlineData("GET /debian/dists/sid/main/binary-amd64/Packages.diff/Index HTTP/1.1\r\nHost: gate\r\n\r\n", 404)]
    [InlineData("GET /debian/pool/main/evil.deb HTTP/1.1\r\nHost: gate\r\n\r\n", 400)]
    public async Task What_the_gate_does_not_have_is_told_without_asking(string request, int status)
    {
        await using var stage = await GateStage.StartAsync();

        var line = await stage.SendRawAsync(request);

        Assert.StartsWith($"HTTP/1.1 {status} ", line, StringComparison.Ordinal);
        Assert.DoesNotContain(stage.Archive.Requests, asked => !asked.EndsWith("/dists/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_release_file_passes_as_it_is_with_its_time_and_is_taken_down()
    {
        await using var stage = await GateStage.StartAsync();
        stage.Archive.Files["/dists/sid/InRelease"] = "Suite: sid"u8.ToArray();

        using var whole = await stage.GetAsync("/debian/dists/sid/InRelease");
        var text = await whole.Content.ReadAsStringAsync();
        using var known = await stage.GetAsync("/debian/dists/sid/InRelease", ask => ask.Headers.IfModifiedSince = FakeArchive.ModifiedAt);

        Assert.Equal((200, "Suite: sid", FakeArchive.ModifiedAt), ((int)whole.StatusCode, text, whole.Content.Headers.LastModified));
        Assert.Equal(304, (int)known.StatusCode);
        await Testing.Eventually.UntilAsync(async () => (await stage.OperateAsync("/releases"))
            .Contains($"{Digest.Of("Suite: sid"u8)}", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_part_of_a_passing_file_is_asked_for_as_apt_asks()
    {
        await using var stage = await GateStage.StartAsync();
        const string file = "/debian/dists/sid/main/i18n/Translation-en";
        stage.Archive.Files["/dists/sid/main/i18n/Translation-en"] = "0123456789"u8.ToArray();

        using var part = await stage.GetAsync(file, ask =>
        {
            ask.Headers.Range = new(4, null);
            ask.Headers.IfRange = new(FakeArchive.ModifiedAt);
        });
        using var beyond = await stage.GetAsync(file, ask => ask.Headers.Range = new(10, null));
        using var older = await stage.GetAsync(file, ask =>
        {
            ask.Headers.Range = new(4, null);
            ask.Headers.IfRange = new(FakeArchive.ModifiedAt.AddDays(-1));
        });

        Assert.Equal((206, "456789", "bytes 4-9/10"), ((int)part.StatusCode, await part.Content.ReadAsStringAsync(),
            $"{part.Content.Headers.ContentRange}"));
        Assert.Equal((416, "bytes */10"), ((int)beyond.StatusCode, $"{beyond.Content.Headers.ContentRange}"));
        Assert.Equal((200, "0123456789"), ((int)older.StatusCode, await older.Content.ReadAsStringAsync()));
    }

    [Theory]
    [InlineData("/dists/sid/main/binary-amd64/hello.bin")]
    [InlineData("/pool/main/h/hello/hello_1.0.tar.xz")]
    [InlineData("/pool/main/h/hello/hello")]
    public async Task A_package_under_a_name_that_is_none_is_refused(string path)
    {
        await using var stage = await GateStage.StartAsync();
        stage.Archive.Files[path] = GateStage.ContentOf(1000);
        var hashed = GateStage.Publish(stage.Archive, "!<arch>\ndebian-binary", "/dists/sid/main/binary-amd64");

        using var plain = await stage.GetAsync("/debian" + path);
        using var byHash = await stage.GetAsync("/debian" + hashed);

        Assert.Equal((403, 403), ((int)plain.StatusCode, (int)byHash.StatusCode));
        Assert.DoesNotContain("debian-binary", await byHash.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sources_and_missing_files_pass_as_the_archive_has_them()
    {
        await using var stage = await GateStage.StartAsync();
        stage.Archive.Files["/pool/main/h/hello/hello_1.0.dsc"] = "Format: 3.0"u8.ToArray();

        using var source = await stage.GetAsync("/debian/pool/main/h/hello/hello_1.0.dsc");
        using var missing = await stage.GetAsync("/debian/pool/main/h/hello/hello_2.0.dsc");
        stage.Archive.Lie = ArchiveLie.Unavailable;
        using var away = await stage.GetAsync("/debian/pool/main/h/hello/hello_1.0.dsc");

        Assert.Equal("Format: 3.0", await source.Content.ReadAsStringAsync());
        Assert.Equal((404, 502), ((int)missing.StatusCode, (int)away.StatusCode));
    }

    [Fact]
    public async Task A_file_by_hash_is_kept_only_if_it_has_the_hash()
    {
        await using var stage = await GateStage.StartAsync();
        var path = GateStage.Publish(stage.Archive, new string('x', 200_000), "/dists/sid/main/i18n");
        stage.Archive.Lie = ArchiveLie.FlippedLastByte;

        var broken = await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            using var answer = await stage.GetAsync("/debian" + path);
            await answer.Content.ReadAsByteArrayAsync();
        });
        stage.Archive.Lie = ArchiveLie.None;
        using var good = await stage.GetAsync("/debian" + path);
        var text = await good.Content.ReadAsStringAsync();
        var asked = stage.Archive.CountOf(path);
        using var kept = await stage.GetAsync("/debian" + path);

        Assert.True(broken is HttpRequestException or IOException, $"{broken}");
        Assert.Equal(new string('x', 200_000), text);
        Assert.Equal(text, await kept.Content.ReadAsStringAsync());
        Assert.Equal(asked, stage.Archive.CountOf(path));
    }

    [Fact]
    public async Task A_redirect_is_followed_within_the_archives_networks_and_not_to_a_clouds_metadata()
    {
        await using var stage = await GateStage.StartAsync();
        stage.Archive.Files["/dists/sid/InRelease"] = "Suite: sid"u8.ToArray();

        stage.Archive.Lie = ArchiveLie.Redirect;
        using var moved = await stage.GetAsync("/debian/dists/sid/InRelease");
        var text = await moved.Content.ReadAsStringAsync();
        stage.Archive.Lie = ArchiveLie.RedirectToMetadata;
        using var refused = await stage.GetAsync("/debian/dists/sid/InRelease");

        Assert.Equal("Suite: sid", text);
        Assert.Equal(502, (int)refused.StatusCode);
        Assert.Contains("address-refused", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_operations_listener_shows_states_metrics_and_a_page_and_answers_no_foreign_name()
    {
        await using var stage = await GateStage.StartAsync();
        var (path, content) = await stage.AddAsync("hello");
        using var answer = await stage.GetAsync("/debian/" + path);
        await answer.Content.ReadAsByteArrayAsync();

        var (ready, page, bundle) = (await stage.OperateAsync("/readyz"), await stage.OperateAsync("/"),
            await stage.OperateAsync($"/decisions/{Digest.Of(content)}"));

        Assert.Contains("\"ready\":true", ready, StringComparison.Ordinal);
        Assert.Contains("hello_1.0-1_amd64.deb", page, StringComparison.Ordinal);
        Assert.Contains("\"kind\":\"deb\"", bundle, StringComparison.Ordinal);
        Assert.Equal("ok\n", await stage.OperateAsync("/healthz"));
        using var foreign = new HttpRequestMessage(HttpMethod.Get, new Uri(stage.Operations, "/readyz"));
        foreign.Headers.Host = "evil.example";
        using var client = new HttpClient();
        using var refused = await client.SendAsync(foreign);
        Assert.Equal(421, (int)refused.StatusCode);
    }

    [Fact]
    public async Task Requests_that_wait_on_a_connection_are_decided_ahead()
    {
        await using var stage = await GateStage.StartAsync();
        var paths = new List<string>();
        foreach (var name in new[] { "a1", "b1", "c1", "d1" })
        {
            paths.Add((await stage.AddAsync(name, size: 1000)).Path);
        }

        await stage.PassIndexAsync(
            stage.Archive, [.. paths.Select(path => (path.Split('/')[3], "1.0-1", path, stage.Archive.Files["/" + path]))]);
        stage.Alice.Pause = TimeSpan.FromMilliseconds(500);
        var requests = string.Concat(paths.Select(path => $"GET /debian/{path} HTTP/1.1\r\nHost: gate\r\n\r\n"));

        var answering = stage.SendRawAsync(requests);
        await Testing.Eventually.UntilAsync(() => stage.Alice.MostAtOnce >= 3);

        Assert.StartsWith("HTTP/1.1 200 ", await answering, StringComparison.Ordinal);
        Assert.InRange(stage.Alice.MostAtOnce, 3, 4);
    }
}
