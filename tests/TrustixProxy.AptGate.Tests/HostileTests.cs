using System.IO.Compression;
using System.Net.Sockets;
using System.Text;
using TrustixProxy.AptGate.Indexes;
using TrustixProxy.AptGate.Storage;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.AptGate.Tests;

/// <summary>What archives and clients cannot do that mean harm.</summary>
public sealed class HostileTests
{
    [Theory]
    [InlineData(ArchiveLie.NoContent)]
    [InlineData(ArchiveLie.NotModified)]
    [InlineData(ArchiveLie.UnaskedPart)]
    public async Task What_is_no_answer_to_the_request_is_no_answer_to_the_client(ArchiveLie lie)
    {
        await using var stage = await GateStage.StartAsync();
        var (known, _) = await stage.AddAsync("hello");
        var (unknown, byHash) = (GateStage.PathOf("sl", "1.0"), GateStage.Publish(stage.Archive, "some text", "/dists/sid/main/i18n"));
        stage.Archive.Files["/" + unknown] = GateStage.ContentOf(1000);
        stage.Archive.Files["/dists/sid/InRelease"] = stage.Archive.Files["/a.dsc"] = "some text"u8.ToArray();
        stage.Archive.Lie = lie;

        foreach (var target in new[] { "/" + known, "/" + unknown, byHash, "/dists/sid/InRelease", "/a.dsc" })
        {
            using var answer = await stage.GetAsync("/debian" + target);
            Assert.Equal((target, 502), (target, (int)answer.StatusCode));
        }
    }

    [Fact]
    public async Task A_release_file_is_taken_down_also_when_it_comes_in_parts_or_by_its_other_name()
    {
        await using var stage = await GateStage.StartAsync();
        var release = Encoding.ASCII.GetBytes(new string('r', 200_000));
        stage.Archive.Files["/dists/sid/InRelease"] = release;
        stage.Archive.Files["/dists/trixie/Release"] = "Suite: trixie"u8.ToArray();

        stage.Archive.Lie = ArchiveLie.CutOnce;
        using (var cut = await stage.GetAsync("/debian/dists/sid/InRelease"))
        {
            await Assert.ThrowsAnyAsync<Exception>(() => cut.Content.ReadAsByteArrayAsync());
        }

        using var rest = await stage.GetAsync("/debian/dists/sid/InRelease", ask => ask.Headers.Range = new(100_000, null));
        Assert.Equal((200, release.Length), ((int)rest.StatusCode, (await rest.Content.ReadAsByteArrayAsync()).Length));
        stage.Archive.Lie = ArchiveLie.None;
        using var other = await stage.GetAsync("/debian/dists/trixie/Release");
        await other.Content.ReadAsByteArrayAsync();

        await Eventually.UntilAsync(async () => await stage.OperateAsync("/releases") is var listed
            && listed.Contains($"{Digest.Of(release)}", StringComparison.Ordinal)
            && listed.Contains($"{Digest.Of("Suite: trixie"u8)}", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_index_that_is_drawn_out_holds_up_no_refusal()
    {
        await using var stage = await GateStage.StartAsync(options => options with { Deadline = TimeSpan.FromSeconds(5) });
        var (path, _) = await stage.AddAsync("sl", says: "GOOD BAD");
        stage.Archive.Files["/dists/sid/contrib/binary-amd64/Packages"] = Encoding.ASCII.GetBytes(new string('x', 400_000));
        stage.Archive.Lie = ArchiveLie.Halt;
        using var drawnOut = await stage.GetAsync("/debian/dists/sid/contrib/binary-amd64/Packages");

        using var refused = await stage.GetAsync("/debian/" + path);

        Assert.Equal(403, (int)refused.StatusCode);
    }

    [Fact]
    public async Task The_fetch_of_a_package_that_no_index_names_goes_on_although_apt_gives_up_waiting()
    {
        await using var stage = await GateStage.StartAsync();
        var (path, content) = (GateStage.PathOf("hello", "1.0"), GateStage.ContentOf(500_000));
        stage.Archive.Files["/" + path] = content;
        stage.Archive.Lie = ArchiveLie.Halt;
        using (var client = new TcpClient(stage.Url.Host, stage.Url.Port))
        {
            await using var stream = client.GetStream();
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"GET /debian/{path} HTTP/1.1\r\nHost: gate\r\n\r\n"));
            await Eventually.UntilAsync(() => stage.Archive.CountOf("/" + path) is 1);
            client.Client.Shutdown(SocketShutdown.Send);
            Assert.Equal(0, await stream.ReadAsync(new byte[1])); // the gate has seen it
        }

        stage.Archive.Go.TrySetResult();

        await Eventually.UntilAsync(() => Directory.GetFiles(
            Path.Combine(stage.State, "files"), $"{Digest.Of(content)}-*", SearchOption.AllDirectories).Length is 1);
        Assert.Equal(1, stage.Archive.CountOf("/" + path));
    }

    [Theory]
    [InlineData(ArchiveLie.None, true)]
    [InlineData(ArchiveLie.None, false)]
    [InlineData(ArchiveLie.Chunked, true)]
    [InlineData(ArchiveLie.Chunked, false)]
    public async Task A_file_larger_than_the_store_takes_no_more_room_than_the_store(ArchiveLie lie, bool isKnown)
    {
        await using var stage = await GateStage.StartAsync();
        await stage.RestartAsync(options => options with { Store = new FileStoreOptions(Path.Combine(stage.State, "files"), 1 << 20) });
        var path = GateStage.PathOf("hello", "1.0-1");
        var content = GateStage.ContentOf(3 << 20);
        stage.Archive.Files["/" + path] = content;
        stage.Say(path, Digest.Of(content), "GOOD GOOD");
        if (isKnown)
        {
            await stage.PassIndexAsync(stage.Archive, ("hello", "1.0-1", path, content));
        }

        stage.Archive.Lie = lie;
        using var answer = await stage.GetAsync("/debian/" + path);

        Assert.Equal(502, (int)answer.StatusCode);
        Assert.True(lie is ArchiveLie.Chunked && !isKnown
            || (await answer.Content.ReadAsStringAsync()).Contains("store.maxSize", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_disk_that_refuses_is_told_without_its_paths_and_the_archive_is_asked_once()
    {
        await using var stage = await GateStage.StartAsync();
        var (path, _) = await stage.AddAsync("hello");
        Directory.Delete(Path.Combine(stage.State, "files"), recursive: true);

        using var answer = await stage.GetAsync("/debian/" + path);

        Assert.Equal("Bad gateway: the disk of this gate refuses the file; its log says why\n", await answer.Content.ReadAsStringAsync());
        Assert.Equal((502, 1), ((int)answer.StatusCode, stage.Archive.CountOf("/" + path)));
    }

    [Fact]
    public async Task Names_that_no_archive_has_leave_nothing_behind_and_ask_no_rebuilder()
    {
        await using var stage = await GateStage.StartAsync();
        var targets = Enumerable.Range(0, 1000).SelectMany(i => new[]
        {
            $"/debian/pool/main/n/n{i}/n{i}_{i}_amd64.deb", $"/debian/dists/sid/main/binary-amd64/by-hash/SHA256/{i:x64}",
        });

        await Parallel.ForEachAsync(targets, new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (target, _) =>
        {
            using var answer = await stage.GetAsync(target);
            Assert.Equal(404, (int)answer.StatusCode);
        });

        Assert.Empty(Directory.GetFiles(Path.Combine(stage.State, "files"), "*", SearchOption.AllDirectories));
        Assert.Empty(stage.Alice.Requests);
        await Eventually.UntilAsync(() => Readings(stage) is 0);
    }

    [Fact]
    public async Task An_index_without_an_end_is_given_up()
    {
        using var folder = new TestFolder();
        using var book = new IndexBook(folder.Path);
        var lines = new System.Collections.Concurrent.ConcurrentQueue<string>();
        using var logger = new LineLogger(lines);
        using var readings = new IndexReadings(book, TimeSpan.FromMinutes(1), TimeProvider.System, logger);
        var stanza = Encoding.ASCII.GetBytes(GateStage.Stanza("hello", "1.0-1", GateStage.PathOf("hello", "1.0-1"), [1]));

        readings.Begin(new PassingIndex("debian", "sid", "1"), new MemoryStream([.. Zip(stanza), .. Bomb()]), Task.FromResult(true));

        Assert.Null(await readings.FindAsync("debian", GateStage.PathOf("hello", "1.0-1"), default));
        Assert.Contains(lines, line => line.Contains("The index has more than", StringComparison.Ordinal));
    }

    /// <summary>A gate ends while an index is under way: no reading uses the database afterwards.</summary>
    [Fact]
    public async Task Readings_under_way_end_with_their_room()
    {
        using var folder = new TestFolder();
        using var book = new IndexBook(folder.Path);
        using var logger = new LineLogger([]);
        var readings = new IndexReadings(book, TimeSpan.FromMinutes(1), TimeProvider.System, logger);
        var bytes = new System.IO.Pipelines.Pipe(); // which nobody completes
        await bytes.Writer.WriteAsync(Encoding.ASCII.GetBytes(GateStage.Stanza("hello", "1.0-1", GateStage.PathOf("hello", "1.0-1"), [1])));
        var index = new PassingIndex("debian", "sid", "1");

        readings.Begin(index, bytes.Reader.AsStream(), new TaskCompletionSource<bool>().Task);
        Assert.True(readings.HasRead(index));
        readings.Dispose();

        Assert.False(readings.HasRead(index));
        Assert.Null(book.Find("debian", GateStage.PathOf("hello", "1.0-1")));
    }

    [Fact]
    public async Task An_index_passes_also_while_nothing_of_it_can_be_kept()
    {
        await using var stage = await GateStage.StartAsync();
        var index = Encoding.ASCII.GetBytes(new string('x', 3 << 20));
        var path = GateStage.Publish(stage.Archive, new string('y', 3 << 20));
        stage.Archive.Files["/dists/sid/contrib/binary-amd64/Packages"] = index;
        using var database = new IO.Storage.StateDatabase(Path.Combine(stage.State, "indexes"), isDurable: false);
        using var end = new ManualResetEventSlim();
        var locking = Task.Run(() => database.Together(end.Wait)); // writes of others fail after a second

        using var named = await stage.GetAsync("/debian/dists/sid/contrib/binary-amd64/Packages");
        using var hashed = await stage.GetAsync("/debian" + path);

        Assert.Equal(index, await named.Content.ReadAsByteArrayAsync());
        Assert.Equal(index.Length, (await hashed.Content.ReadAsByteArrayAsync()).Length);
        end.Set();
        await locking;
    }

    [Fact]
    public async Task Releases_of_an_archive_that_is_no_longer_configured_hold_up_no_others()
    {
        await using var stage = await GateStage.StartAsync();
        stage.Archive.Files["/dists/sid/InRelease"] = stage.Second.Files["/dists/sid/InRelease"] = "Suite: sid"u8.ToArray();
        foreach (var archive in new[] { "debian", "second" })
        {
            using var answer = await stage.GetAsync($"/{archive}/dists/sid/InRelease");
            await answer.Content.ReadAsByteArrayAsync();
        }

        await Eventually.UntilAsync(async () => (await stage.OperateAsync("/releases")).Split("\"sid\"").Length is 3);
        var submitted = new TaskCompletionSource<string[]>();
        await stage.RestartAsync(options => options with
        {
            Archives = [options.Archives[0]],
            Submit = (releases, _) =>
            {
                submitted.TrySetResult([.. releases.Select(release => release.Archive)]);
                return Task.CompletedTask;
            },
        });

        Assert.Equal(["debian"], await submitted.Task);
    }

    /// <summary>Number of readings in the database of indexes, finished or not.</summary>
    private static long Readings(GateStage stage)
    {
        using var database = new IO.Storage.StateDatabase(Path.Combine(stage.State, "indexes"), isDurable: false);
        return database.First("SELECT COUNT(*) FROM readings", row => row.Number(0));
    }

    /// <summary>600 MiB of zeros in 600 kB.</summary>
    private static IEnumerable<byte> Bomb() => Enumerable.Repeat(Zip(new byte[1 << 20]), 600).SelectMany(part => part);

    private static byte[] Zip(byte[] bytes)
    {
        using var zipped = new MemoryStream();
        using (var zip = new GZipStream(zipped, CompressionLevel.Fastest))
        {
            zip.Write(bytes);
        }

        return zipped.ToArray();
    }
}
