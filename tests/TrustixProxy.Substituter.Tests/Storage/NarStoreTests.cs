using System.Net;
using System.Net.Http.Headers;
using TrustixProxy.Nars.Store;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Hosting;
using TrustixProxy.Substituter.Revocations;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Substituter.Tests.Storage;

/// <summary>NARs that were served once are served on, whatever becomes of upstreams; and whatever becomes of the disk, nothing else
/// is.</summary>
public sealed class NarStoreTests
{
    private const int Small = 5_000, Large = 3_000_000;

    [Theory]
    [InlineData("none", Small)]
    [InlineData("none", Large)]
    [InlineData("xz", Small)]
    [InlineData("zstd", Large)]
    public async Task What_was_served_once_is_served_while_every_upstream_is_down(string compression, int size)
    {
        var output = TestOutput.Make(size: size);
        await using var proxy = await AgreedAsync(output, compression);
        var narInfo = await proxy.NarInfoAsync(output);
        await proxy.NarAsync(narInfo);
        await StoredAsync(proxy, 1);
        proxy.Upstream().Lie = UpstreamLie.Unavailable;

        await ExpectAsync("in the same process");
        await proxy.RestartAsync();
        await ExpectAsync("after a restart");
        var change = proxy.Change;
        proxy.Change = options =>
            change(options) with { StateDirectory = Directory.CreateDirectory(Path.Combine(proxy.StateDirectory, "new")).FullName };
        await proxy.RestartAsync();
        await ExpectAsync("when all is decided anew, by logs alone");

        async Task ExpectAsync(string when)
        {
            var before = proxy.Upstream().Requests.Count(IsNar);
            var file = output.File(compression);
            var again = await proxy.NarInfoAsync(output);
            Assert.Equal((when, narInfo.Url, narInfo.FileSize), (when, again.Url, again.FileSize));
            using var whole = await proxy.Client.GetAsync(new Uri(proxy.Url, narInfo.Url));
            Assert.Equal(file, await whole.Content.ReadAsByteArrayAsync());
            Assert.Equal(("bytes", file.Length, "agreed"), (whole.Headers.AcceptRanges.Single(), (int)whole.Content.Headers.ContentLength!,
                whole.Headers.GetValues("X-Trustix-Decision").Single()));
            foreach (var (range, expected) in new (RangeHeaderValue, Range)[] { (new(100, 299), 100..300),
                (new(file.Length - 1, null), ^1..), (new(null, 10), ^10..), (new(0, null), ..), (new(1, file.Length * 2), 1..) })
            {
                using var part = await SendAsync(proxy, HttpMethod.Get, narInfo, range);
                Assert.Equal(
                    (HttpStatusCode.PartialContent, file.Length), (part.StatusCode, (int)part.Content.Headers.ContentRange!.Length!));
                Assert.Equal(file[expected], await part.Content.ReadAsByteArrayAsync());
            }

            using var past = await SendAsync(proxy, HttpMethod.Get, narInfo, new(file.Length, null));
            using var head = await SendAsync(proxy, HttpMethod.Head, narInfo, null);
            Assert.Equal((HttpStatusCode.RequestedRangeNotSatisfiable, HttpStatusCode.OK, file.Length),
                (past.StatusCode, head.StatusCode, (int)head.Content.Headers.ContentLength!));
            Assert.Equal(before, proxy.Upstream().Requests.Count(IsNar));
        }
    }

    [Theory]
    [InlineData("none")]
    [InlineData("zstd")]
    public async Task A_file_that_is_not_what_its_name_says_is_never_served_and_is_deleted(string compression)
    {
        var output = TestOutput.Make(size: Small);
        var file = output.File(compression);
        await using var proxy = await AgreedAsync(output, compression);
        var narInfo = await proxy.NarInfoAsync(output);
        foreach (var (what, damaged) in new (string, byte[])[]
        {
            ("a bit", [.. file[..100], (byte)(file[100] ^ 1), .. file[101..]]), ("the last byte", [.. file[..^1], (byte)(file[^1] ^ 1)]),
                ("cut", file[..^1]), ("longer", [.. file, 0]), ("empty", []),
            ("another NAR", TestOutput.Make(size: Small).File(compression)),
                ("the same NAR in other bytes", TestOutput.Compress("gzip", output.Nar)),
        })
        {
            Assert.Equal(file, await proxy.NarAsync(narInfo));
            var stored = (await StoredAsync(proxy, 1)).Single();
            await proxy.StopAsync();
            await File.WriteAllBytesAsync(stored, damaged);
            await proxy.StartAsync();
            var before = proxy.Upstream().Requests.Count(IsNar);

            Assert.Equal(file, await proxy.NarAsync(narInfo));
            Assert.Equal((what, before + 1), (what, proxy.Upstream().Requests.Count(IsNar)));
            Assert.Contains(proxy.Lines, line => line.Contains("does not match its name", StringComparison.Ordinal));
            await UntilAsync(() => Files(proxy) is [var again] && File.ReadAllBytes(again).SequenceEqual(file));
        }
    }

    [Fact]
    public async Task A_file_that_is_changed_or_gone_while_the_proxy_runs_is_noticed()
    {
        var output = TestOutput.Make(size: Small);
        await using var proxy = await AgreedAsync(output, "none");
        var narInfo = await proxy.NarInfoAsync(output);
        foreach (var change in new Action<string>[] { File.Delete, path => File.WriteAllBytes(path, [.. output.Nar[..^1], 1]), path =>
            File.CreateSymbolicLink(Moved(path), "/etc/passwd") })
        {
            Assert.Equal(output.Nar, await proxy.NarAsync(narInfo));
            change((await StoredAsync(proxy, 1)).Single());

            Assert.Equal(output.Nar, await proxy.NarAsync(narInfo)); // from the upstream
        }

        static string Moved(string path)
        {
            File.Delete(path);
            return path;
        }
    }

    [Fact]
    public async Task A_revocation_beats_the_store()
    {
        var output = TestOutput.Make();
        await using var proxy = await AgreedAsync(output, "xz");
        var narInfo = await proxy.NarInfoAsync(output);
        await proxy.NarAsync(narInfo);
        await StoredAsync(proxy, 1);
        using var revoker = new Revoker(proxy.Options!);
        await revoker.RevokeAsync(new RevokedSubject.Nar(output.Statement.NarHash), isUndone: false, "no", default);

        Assert.Equal(
            (HttpStatusCode.NotFound, "revoked"), await proxy.AskAsync(narInfo.Url) is var nar ? (nar.Status, nar.Decision) : default);
        await proxy.RestartAsync();
        Assert.Equal((HttpStatusCode.NotFound, "revoked"), await proxy.AskAsync(narInfo.Url) is var again ? (again.Status, again.Decision)
            : default);
    }

    [Fact]
    public async Task What_is_not_agreed_on_under_that_name_is_not_served_whatever_lies_in_the_store()
    {
        var output = TestOutput.Make();
        var forged = output.Forge();
        await using var proxy = await AgreedAsync(output, "none");
        await proxy.StopAsync();
        Plant(proxy, forged, forged.Path);
        Plant(proxy, forged, TestOutput.PathOf("lone"));
        await proxy.StartAsync();

        Assert.Equal(output.Nar, await proxy.NarAsync(await proxy.NarInfoAsync(output)));
        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(
            $"nar/{output.Path.Digest}/{forged.Statement.NarHash.Digits}/{forged.Statement.NarHash.Digits}.nar")).Status);
    }

    [Theory]
    [InlineData(UpstreamLie.FlippedByte)]
    [InlineData(UpstreamLie.FlippedLastByte)]
    [InlineData(UpstreamLie.ShortFile)]
    [InlineData(UpstreamLie.LongFile)]
    [InlineData(UpstreamLie.CutFile)]
    [InlineData(UpstreamLie.OtherFile)]
    public async Task What_is_refused_is_not_stored(UpstreamLie lie)
    {
        var outputs = new[] { Small, Large }.Select(size => TestOutput.Make($"size-{size}", size)).ToList();
        await using var proxy = await AgreedAsync(outputs, "none");
        proxy.Upstream().Add(TestOutput.Make("other", Large), "none");
        foreach (var output in outputs)
        {
            var narInfo = await proxy.NarInfoAsync(output);
            proxy.Upstream().Lie = lie;
            await Assert.ThrowsAnyAsync<Exception>(() => proxy.NarAsync(narInfo));
            proxy.Upstream().Lie = UpstreamLie.None;
        }

        await proxy.StopAsync(); // what is whole would be on the disk then
        Assert.Empty(Directory.GetFileSystemEntries(Nars(proxy)));
    }

    [Fact]
    public async Task All_files_together_have_no_byte_too_many_and_the_one_used_longest_ago_makes_room_also_after_a_restart()
    {
        var outputs = Enumerable.Range(0, 5).Select(i => TestOutput.Make(i is 0 ? "pinned-1" : $"some-{i}", Small)).ToList();
        var size = outputs[0].Nar.Length;
        await using var proxy = await AgreedAsync(outputs, "none", 3 * size, "pinned-*");
        foreach (var i in new[] { 0, 1, 2, 1 })
        {
            await GetAsync(i);
        }

        await GetAsync(3); // 2 was used longest ago but for what is pinned
        Assert.Equal("0 1 3", Held());
        await GetAsync(1);
        await proxy.RestartAsync();
        await GetAsync(4);
        Assert.Equal("0 1 4", Held());
        Assert.Equal(3 * size, Files(proxy).Sum(file => new FileInfo(file).Length));
        var change = proxy.Change;
        proxy.Change = options => change(options) with { NarStore = new NarStoreOptions(Nars(proxy), (2 * size) - 1, ["pinned-*"]) };
        await proxy.RestartAsync();
        await UntilAsync(() => Files(proxy).Count is 1);
        Assert.Equal("0", Held());

        async Task GetAsync(int i)
        {
            Assert.Equal(outputs[i].Nar, await proxy.NarAsync(await proxy.NarInfoAsync(outputs[i])));
            await UntilAsync(() => Files(proxy).Exists(file => file.Contains(outputs[i].Path.ToString(), StringComparison.Ordinal)));
        }

        string Held() =>
            string.Join(' ', outputs.Index().Where(item =>
            Files(proxy).Exists(file => file.Contains(item.Item.Path.ToString(), StringComparison.Ordinal))).Select(item => item.Index));
    }

    [Fact]
    public async Task Whoever_reads_while_everything_makes_room_for_something_else_notices_nothing()
    {
        var outputs = Enumerable.Range(0, 6).Select(i => TestOutput.Make($"some-{i}", i < 3 ? Small : Large / 4)).ToList();
        await using var proxy = await AgreedAsync(outputs, "none", outputs[^1].Nar.Length + outputs[0].Nar.Length);
        var narInfos = new List<NarInfo>();
        foreach (var output in outputs)
        {
            narInfos.Add(await proxy.NarInfoAsync(output));
        }

        await Parallel.ForEachAsync(Enumerable.Range(0, 400), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, _) =>
        {
            var one = (i * 7) % outputs.Count;
            using var response = await proxy.Client.GetAsync(new Uri(proxy.Url, narInfos[one].Url), CancellationToken.None);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Equal(outputs[one].Nar, await response.Content.ReadAsByteArrayAsync(CancellationToken.None));
        });
    }

    [Fact]
    public async Task A_disk_that_refuses_costs_the_copy_and_is_said()
    {
        var output = TestOutput.Make(size: Large);
        await using var proxy = await AgreedAsync(output, "xz");
        await UntilAsync(() => proxy.Lines.Any(line => line.Contains("5101", StringComparison.Ordinal)));
        Directory.Delete(Nars(proxy));

        Assert.Equal(output.File("xz"), await proxy.NarAsync(await proxy.NarInfoAsync(output)));
        await UntilAsync(() => proxy.Lines.Any(line => line.Contains("pauses writing for 10 s", StringComparison.Ordinal)));
        Assert.Equal(output.File("xz"), await proxy.NarAsync(await proxy.NarInfoAsync(output)));
    }

    private static bool IsNar(string request) => request.Contains("/nar/", StringComparison.Ordinal);

    private static async Task<HttpResponseMessage> SendAsync(TestProxy proxy, HttpMethod method, NarInfo narInfo, RangeHeaderValue? range)
    {
        using var request = new HttpRequestMessage(method, new Uri(proxy.Url, narInfo.Url)) { Headers = { Range = range } };
        return await proxy.Client.SendAsync(request);
    }

    private static string Nars(TestProxy proxy) => Path.Combine(proxy.StateDirectory, "nars");

    /// <summary>What is stored; a folder may be deleted while this looks.</summary>
    private static List<string> Files(TestProxy proxy) =>
        [.. Directory.EnumerateFiles(Nars(proxy), "*", SearchOption.AllDirectories)
        .Where(file => Path.GetDirectoryName(file) != Nars(proxy))];

    private static async Task<List<string>> StoredAsync(TestProxy proxy, int count)
    {
        await UntilAsync(() => Files(proxy).Count == count);
        return Files(proxy);
    }

    private static void Plant(TestProxy proxy, TestOutput output, StorePath path)
    {
        var hash = output.Statement.NarHash;
        var nar = new StoredNar(path, hash, output.Nar.Length, hash, "none");
        File.WriteAllBytes(
            Path.Combine(Directory.CreateDirectory(Path.Combine(Nars(proxy), path.ToString())).FullName, nar.FileName), output.Nar);
    }

    private static Task<TestProxy> AgreedAsync(TestOutput output, string compression) => AgreedAsync([output], compression);

    private static async Task<TestProxy> AgreedAsync(
        IReadOnlyList<TestOutput> outputs, string compression, long maxSize = 1 << 30, params string[] pinned)
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options =>
            options with { NarStore = new NarStoreOptions(Directory.CreateDirectory(Nars(proxy)).FullName, maxSize, [.. pinned]) };
        foreach (var output in outputs)
        {
            proxy.Publish(output, "alice", "bob").Upstream().Add(output, compression);
        }

        return await proxy.StartAsync();
    }
}
