using System.Net;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.AptGate.Tests;

/// <summary>Which packages are served, and which bytes of them.</summary>
public sealed class PackageTests
{
    [Theory]
    [InlineData("hello", "1.0-1")]
    [InlineData("libstdc++6", "2:14.2.0-1+b1~deb13u1")]
    public async Task What_both_vouch_for_is_served_and_asked_about_twice_at_most(string name, string version)
    {
        await using var stage = await GateStage.StartAsync();
        var (path, content) = await stage.AddAsync(name, version);
        var escaped = "/debian/" + path.Replace("+", "%2b", StringComparison.Ordinal).Replace("~", "%7e", StringComparison.Ordinal);

        using var answer = await stage.GetAsync(escaped);
        var bytes = await answer.Content.ReadAsByteArrayAsync();
        using var again = await stage.GetAsync(escaped);

        Assert.Equal((200, "agreed", 2),
            ((int)answer.StatusCode, answer.Headers.GetValues("X-Trustix-Decision").Single(), stage.Alice.Requests.Count));
        Assert.Equal(content, bytes);
        Assert.Equal(content, await again.Content.ReadAsByteArrayAsync());
        Assert.Contains($"version={Uri.EscapeDataString(version)}", stage.Alice.Requests.First(), StringComparison.Ordinal);
        Assert.Equal((2, 1), (stage.Bob.Requests.Count, stage.Archive.CountOf("/" + path)));
    }

    [Theory]
    [InlineData("GOOD BAD", "bob: bad")]
    [InlineData("BAD BAD", "alice: bad, bob: bad")]
    [InlineData("GOOD UNKWN", "bob: ")]
    public async Task What_one_does_not_vouch_for_is_refused_before_its_download_with_the_reason_in_the_phrase(string says, string reason)
    {
        await using var stage = await GateStage.StartAsync();
        var (path, _) = await stage.AddAsync("hello", says: says);

        using var answer = await stage.GetAsync("/debian/" + path);

        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        Assert.StartsWith("Refused by policy: ", answer.ReasonPhrase, StringComparison.Ordinal);
        Assert.Contains(reason, answer.ReasonPhrase, StringComparison.Ordinal);
        Assert.All(answer.ReasonPhrase!, character => Assert.InRange(character, ' ', '~'));
        Assert.Contains(answer.ReasonPhrase!, await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(0, stage.Archive.CountOf("/" + path));
    }

    [Theory]
    [InlineData(RebuilderLie.Hang, 503)]
    [InlineData(RebuilderLie.Unavailable, 503)]
    [InlineData(RebuilderLie.Drip, 503, "bob: no-answer")]
    [InlineData(RebuilderLie.Throttled, 503, "bob: breaker-open")]
    [InlineData(RebuilderLie.Html, 403, "bob: bad-answer")]
    [InlineData(RebuilderLie.OtherForm, 403, "bob: bad-answer")]
    [InlineData(RebuilderLie.Deep, 403, "bob: bad-answer")]
    [InlineData(RebuilderLie.Surrogate, 403, "bob: bad-answer")]
    [InlineData(RebuilderLie.NotUtf8, 403, "bob: bad-answer")]
    [InlineData(RebuilderLie.Unauthorized, 403, "bob: bad-answer")]
    [InlineData(RebuilderLie.Missing, 403, "bob: bad-answer")]
    [InlineData(RebuilderLie.RedirectToMetadata, 503)]
    [InlineData(RebuilderLie.Huge, 403, "bob: too-large")]
    [InlineData(RebuilderLie.NoAttestation, 403, "bob: no-signature")]
    [InlineData(RebuilderLie.OtherKey, 403, "bob: no-signature")]
    [InlineData(RebuilderLie.OtherFile, 403)]
    [InlineData(RebuilderLie.OtherArchitecture, 403)]
    [InlineData(RebuilderLie.TwoProducts, 403, "bob: claim-malformed")]
    [InlineData(RebuilderLie.Changed, 403, "bob: no-signature")]
    public async Task A_rebuilder_that_is_away_makes_503_and_one_that_proves_nothing_403(
        RebuilderLie lie, int status, string reason = "bob: ")
    {
        await using var stage = await GateStage.StartAsync(options => options with { Deadline = TimeSpan.FromSeconds(3) });
        var (path, content) = await stage.AddAsync("hello");
        stage.Bob.Lie = lie;

        using var answer = await stage.GetAsync("/debian/" + path);
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.StartsWith(status is 503 ? "Undecided by policy: " : "Refused by policy: ", answer.ReasonPhrase, StringComparison.Ordinal);
        Assert.Contains(reason, answer.ReasonPhrase, StringComparison.Ordinal);
        Assert.Equal(0, stage.Archive.CountOf("/" + path));

        stage.Bob.Lie = RebuilderLie.None;
        if (status is 503)
        {
            await Testing.Eventually.UntilAsync(async () =>
            {
                using var later = await stage.GetAsync("/debian/" + path);
                var bytes = await later.Content.ReadAsByteArrayAsync();
                return later.StatusCode is HttpStatusCode.OK && content.SequenceEqual(bytes);
            });
        }
    }

    [Fact]
    public async Task An_index_that_was_changed_on_the_way_gains_nothing()
    {
        await using var stage = await GateStage.StartAsync();
        var (path, content) = await stage.AddAsync("hello");
        var evil = GateStage.ContentOf(5000);
        stage.Archive.Files["/" + path] = evil;
        await stage.PassIndexAsync(stage.Archive, ("hello", "1.0-1", path, evil));

        using var answer = await stage.GetAsync("/debian/" + path);

        Assert.Equal(403, (int)answer.StatusCode);
        await stage.PassIndexAsync(stage.Archive, ("hello", "1.0-1", path, content));
        stage.Archive.Files["/" + path] = content;
        using var later = await stage.GetAsync("/debian/" + path);
        Assert.Equal(content, await later.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData(300_000)]
    [InlineData(1000)]
    public async Task A_package_that_was_changed_on_the_way_is_never_whole(int size)
    {
        await using var stage = await GateStage.StartAsync();
        var (path, content) = await stage.AddAsync("hello", size: size);
        stage.Archive.Lie = ArchiveLie.FlippedLastByte;

        var got = await ReadAsync(stage, path);

        Assert.True(got.Length < content.Length, $"{got.Length}");
        stage.Archive.Lie = ArchiveLie.None;
        Assert.Equal(content, await ReadAsync(stage, path));
    }

    [Theory]
    [InlineData(ArchiveLie.CutOnce)]
    [InlineData(ArchiveLie.CutOnceWithoutRanges)]
    [InlineData(ArchiveLie.Chunked)]
    [InlineData(ArchiveLie.Redirect)]
    public async Task An_archive_that_breaks_off_or_is_odd_is_gone_on_with(ArchiveLie lie)
    {
        await using var stage = await GateStage.StartAsync();
        var (path, content) = await stage.AddAsync("hello");
        stage.Archive.Lie = lie;

        Assert.Equal(content, await ReadAsync(stage, path));
    }

    [Fact]
    public async Task An_archive_that_always_breaks_off_ends_in_a_cut()
    {
        await using var stage = await GateStage.StartAsync();
        var (path, content) = await stage.AddAsync("hello", size: 400_000);
        stage.Archive.Lie = ArchiveLie.Unavailable;
        using var away = await stage.GetAsync("/debian/" + path);

        Assert.Equal(502, (int)away.StatusCode);
        stage.Archive.Lie = ArchiveLie.FlippedLastByte;
        Assert.True((await ReadAsync(stage, path)).Length < content.Length);
    }

    [Fact]
    public async Task The_end_is_withheld_until_all_was_hashed()
    {
        await using var stage = await GateStage.StartAsync();
        var (path, content) = await stage.AddAsync("hello", size: 1_000_000);
        stage.Archive.Lie = ArchiveLie.Halt;
        using var answer = await stage.GetAsync("/debian/" + path);
        await using var body = await answer.Content.ReadAsStreamAsync();
        var got = new MemoryStream();
        var buffer = new byte[64 << 10];
        while (got.Length < (content.Length / 2) - Delivery.FileFetch.Withheld)
        {
            got.Write(buffer, 0, await body.ReadAsync(buffer));
        }

        var more = body.ReadAsync(buffer).AsTask();
        Assert.False(more.IsCompleted);
        stage.Archive.Go.TrySetResult();
        got.Write(buffer, 0, await more);
        await body.CopyToAsync(got);

        Assert.Equal(content, got.ToArray());
    }

    [Fact]
    public async Task A_client_that_goes_away_leaves_nothing_behind_and_another_gets_all()
    {
        await using var stage = await GateStage.StartAsync();
        var (path, content) = await stage.AddAsync("hello", size: 1_000_000);
        stage.Archive.Lie = ArchiveLie.Halt;
        using (var answer = await stage.GetAsync("/debian/" + path))
        {
            await (await answer.Content.ReadAsStreamAsync()).ReadExactlyAsync(new byte[1000]);
        }

        await Testing.Eventually.UntilAsync(() => Directory.GetFiles(Path.Combine(stage.State, "files"), ".writing-*").Length is 0);
        stage.Archive.Lie = ArchiveLie.None;
        Assert.Equal(content, await ReadAsync(stage, path));
    }

    [Fact]
    public async Task Two_who_ask_for_one_package_share_a_download()
    {
        await using var stage = await GateStage.StartAsync();
        var (path, content) = await stage.AddAsync("hello", size: 1_000_000);
        stage.Archive.Lie = ArchiveLie.Halt;

        var (one, two) = (ReadAsync(stage, path), ReadAsync(stage, path));
        await Testing.Eventually.UntilAsync(() => stage.Archive.CountOf("/" + path) > 0);
        stage.Archive.Go.TrySetResult();

        Assert.Equal(content, await one);
        Assert.Equal(content, await two);
        Assert.Equal(1, stage.Archive.CountOf("/" + path));
    }

    [Fact]
    public async Task Apt_goes_on_where_a_download_broke_off()
    {
        await using var stage = await GateStage.StartAsync();
        var (path, content) = await stage.AddAsync("hello");
        using var whole = await stage.GetAsync("/debian/" + path);

        using var part = await stage.GetAsync("/debian/" + path, ask =>
        {
            ask.Headers.Range = new(100_000, null);
            ask.Headers.IfRange = new(FakeArchive.ModifiedAt);
        });
        using var older = await stage.GetAsync("/debian/" + path, ask =>
        {
            ask.Headers.Range = new(100_000, null);
            ask.Headers.IfRange = new(FakeArchive.ModifiedAt.AddDays(1));
        });
        using var all = await stage.GetAsync("/debian/" + path, ask => ask.Headers.Range = new(content.Length, null));
        using var known = await stage.GetAsync("/debian/" + path, ask => ask.Headers.IfModifiedSince = FakeArchive.ModifiedAt);

        Assert.Equal(FakeArchive.ModifiedAt, whole.Content.Headers.LastModified);
        Assert.Equal((206, $"bytes 100000-{content.Length - 1}/{content.Length}"),
            ((int)part.StatusCode, $"{part.Content.Headers.ContentRange}"));
        Assert.Equal(content[100_000..], await part.Content.ReadAsByteArrayAsync());
        Assert.Equal(content, await older.Content.ReadAsByteArrayAsync());
        Assert.Equal((416, 304), ((int)all.StatusCode, (int)known.StatusCode));
    }

    [Fact]
    public async Task HEAD_is_decided_alike_and_has_no_body()
    {
        await using var stage = await GateStage.StartAsync();
        var (good, content) = await stage.AddAsync("hello");
        using var agreed = await stage.GetAsync("/debian/" + good, ask => ask.Method = HttpMethod.Head);
        var (bad, _) = await stage.AddAsync("sl", says: "GOOD BAD");
        using var refused = await stage.GetAsync("/debian/" + bad, ask => ask.Method = HttpMethod.Head);

        Assert.Equal((200, (long?)content.Length, 403),
            ((int)agreed.StatusCode, agreed.Content.Headers.ContentLength, (int)refused.StatusCode));
        Assert.Empty(await agreed.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData("GOOD GOOD", 200)]
    [InlineData("GOOD BAD", 403)]
    public async Task A_package_that_no_index_names_is_fetched_whole_and_decided_by_name_and_hash(string says, int status)
    {
        await using var stage = await GateStage.StartAsync();
        var path = GateStage.PathOf("hello", "1:2.0-1");
        var content = GateStage.ContentOf(200_000);
        stage.Archive.Files["/" + path] = content;
        stage.Say(path, Digest.Of(content), says);

        using var answer = await stage.GetAsync("/debian/" + path);
        var body = await answer.Content.ReadAsByteArrayAsync();
        using var missing = await stage.GetAsync("/debian/" + GateStage.PathOf("hello", "3.0-1"));

        Assert.Equal((status, 404), ((int)answer.StatusCode, (int)missing.StatusCode));
        Assert.Equal(status is 200, body.SequenceEqual(content));
        Assert.DoesNotContain("version=", stage.Alice.Requests.First(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_archives_with_one_path_do_not_know_of_each_other()
    {
        await using var stage = await GateStage.StartAsync();
        var (path, first) = await stage.AddAsync("hello");
        var second = GateStage.ContentOf(50_000);
        stage.Second.Files["/" + path] = second;
        await stage.PassIndexAsync(stage.Second, ("hello", "1.0-1", path, second));

        using var good = await stage.GetAsync("/debian/" + path);
        using var bad = await stage.GetAsync("/second/" + path);

        Assert.Equal(first, await good.Content.ReadAsByteArrayAsync());
        Assert.Equal(403, (int)bad.StatusCode);
    }

    [Fact]
    public async Task After_a_restart_indexes_grants_and_files_are_known_and_nobody_is_asked()
    {
        await using var stage = await GateStage.StartAsync();
        var (path, content) = await stage.AddAsync("hello");
        Assert.Equal(content, await ReadAsync(stage, path));
        var (asked, fetched) = (stage.Alice.Requests.Count, stage.Archive.CountOf("/" + path));

        await stage.RestartAsync();

        Assert.Equal(content, await ReadAsync(stage, path));
        Assert.Equal((asked, fetched), (stage.Alice.Requests.Count, stage.Archive.CountOf("/" + path)));
        foreach (var file in Directory.GetFiles(Path.Combine(stage.State, "files"), $"{Digest.Of(content)}-*", SearchOption.AllDirectories))
        {
            File.WriteAllBytes(file, new byte[content.Length]);
        }

        Assert.Equal(content, await ReadAsync(stage, path));
        Assert.Equal(fetched + 1, stage.Archive.CountOf("/" + path));
    }

    [Fact]
    public async Task A_rebuilder_is_asked_four_things_at_once_at_most()
    {
        await using var stage = await GateStage.StartAsync();
        var packages = Enumerable.Range(0, 20)
            .Select(i => ($"p{i}", "1.0-1", GateStage.PathOf($"p{i}", "1.0-1"), GateStage.ContentOf(500))).ToArray();
        foreach (var (_, _, path, content) in packages)
        {
            stage.Archive.Files["/" + path] = content;
            stage.Say(path, Digest.Of(content), "GOOD GOOD");
        }

        await stage.PassIndexAsync(stage.Archive, packages);
        stage.Alice.Pause = TimeSpan.FromMilliseconds(50);
        var answers = await Task.WhenAll(packages.Select(package => ReadAsync(stage, package.Item3)));

        Assert.All(answers.Zip(packages), pair => Assert.Equal(pair.Second.Item4, pair.First));
        Assert.Equal((40, 40), (stage.Alice.Requests.Count, stage.Bob.Requests.Count));
        Assert.InRange(stage.Alice.MostAtOnce, 2, 4);
    }

    /// <summary>Reads what comes of a package, also of one that breaks off.</summary>
    private static async Task<byte[]> ReadAsync(GateStage stage, string path)
    {
        using var answer = await stage.GetAsync("/debian/" + path);
        var got = new MemoryStream();
        try
        {
            await (answer.IsSuccessStatusCode ? answer.Content.CopyToAsync(got) : Task.CompletedTask);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            // It was cut.
        }

        return got.ToArray();
    }
}
