using System.Collections.Concurrent;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

/// <summary>audit-cache, against a cache that lies.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "xunit disposes it through IAsyncLifetime")]
public sealed class AuditCacheTests : IAsyncLifetime
{
    private static readonly NixSecretKey Key = NixSecretKey.Generate("cache-1"), OtherKey = NixSecretKey.Generate("other-1");

    private readonly Folder _folder = new();

    private FakeUpstream Cache { get; set; } = null!;

    private Dictionary<string, string> Environment => new() { ["XDG_STATE_HOME"] = _folder.Path };

    public async Task InitializeAsync() => Cache = await FakeUpstream.StartAsync();

    public async Task DisposeAsync()
    {
        _folder.Dispose();
        await Cache.DisposeAsync();
    }

    [Fact]
    public async Task Two_swapped_nars_deep_in_a_signed_closure_are_found_and_all_others_are_right()
    {
        var closure = MakeClosure(24);
        closure.ForEach(output => Cache.Add(output, "xz", Signed));
        var (one, two) = (closure[3], closure[7]);
        Cache.AddFile("/" + one.NarInfo("xz").Url, two.File("xz"));
        Cache.AddFile("/" + two.NarInfo("xz").Url, one.File("xz"));

        var (code, text, error) = await RunAsync("--closure", closure[^1].Path.Absolute, "--public-key", $"{Key.PublicKey}");
        var json = await RunAsync("--closure", closure[^1].Path.Absolute, "--json");
        var root = JsonDocument.Parse(json.Output).RootElement;

        Assert.Equal((1, "", 1), (code, error, json.Code));
        Assert.Matches($"^{Regex.Escape($"{Cache.Url}")}: 24 paths\n  right +22\n  wrong +2\nWRONG /nix/store/", text);
        Assert.Contains($"  nar-hash: the narinfo says {one.Statement.NarHash}; found: {two.Statement.NarHash}\n", text,
            StringComparison.Ordinal);
        Assert.Equal((24, 22, 2, 0), (Number(root, "paths"), Number(root, "right"), Number(root, "wrong"), Number(root, "left")));
        Assert.Equal(new[] { one.Path.Absolute, two.Path.Absolute }.Order(StringComparer.Ordinal),
            root.GetProperty("others").EnumerateArray().Select(path => path.GetProperty("path").GetString()));
    }

    [Theory]
    [InlineData("xz", UpstreamLie.FlippedByte, "file-hash")]
    [InlineData("none", UpstreamLie.FlippedByte, "nar-hash")]
    [InlineData("zstd", UpstreamLie.ShortFile, "damaged")]
    [InlineData("none", UpstreamLie.ShortFile, "nar-size")]
    [InlineData("none", UpstreamLie.LongFile, "nar-size")]
    [InlineData("bzip2", UpstreamLie.LongFile, "file-size")]
    [InlineData("br", UpstreamLie.NoFile, "nar-missing")]
    public async Task A_file_that_is_not_what_the_narinfo_says_is_named_with_what_is_wrong(
        string compression, UpstreamLie lie, string fault)
    {
        var output = TestOutput.Make("hello-1.0", 20_000);
        Cache.Add(output, compression);
        var good = await RunAsync(output.Path.Absolute);
        Cache.Lie = lie;

        var bad = await RunAsync(output.Path.Absolute);

        Assert.Equal((0, ""), (good.Code, good.Error));
        Assert.Equal((1, ""), (bad.Code, bad.Error));
        Assert.Contains($"\n  {fault}: the narinfo says ", bad.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("FileHash: .*", "FileHash: sha256:1wmyzqi978bzv8f43375m9ccbzl7ddv9jly3jq0sbl7j5x53qx18", "file-hash")]
    [InlineData("FileSize: .*", "FileSize: 7", "file-size")]
    [InlineData("Compression: .*", "Compression: zstd", "compression")]
    [InlineData("NarHash: .*", "NarHash: sha256:1wmyzqi978bzv8f43375m9ccbzl7ddv9jly3jq0sbl7j5x53qx18", "nar-hash")]
    [InlineData("NarSize: .*", "NarSize: 9223372036854775807", "nar-size")]
    [InlineData("NarSize: .*", "NarSize: 5", "nar-size")]
    [InlineData("StorePath: .*-hello", "StorePath: /nix/store/83qfhg2g0rh45zf2f0smb15my5kgbmb1-hello", "narinfo")]
    [InlineData("References: ", "References: 83qfhg2g0rh45zf2f0smb15my5kgbmb1-hello-1.0", "reference")]
    public async Task A_line_of_a_narinfo_that_does_not_hold_is_named(string line, string changed, string fault)
    {
        var output = TestOutput.Make("hello-1.0", 20_000);
        Cache.Add(output, "xz", text => Regex.Replace(text, line, changed));

        var (code, text, error) = await RunAsync(output.Path.Absolute, "--references");

        Assert.Equal((1, ""), (code, error));
        Assert.Matches($"^[^\n]+: 1 path\n  wrong +1\nWRONG [^\n]+\n  {fault}: [^\n]+\n$", text);
    }

    [Fact]
    public async Task A_signature_by_one_of_the_keys_is_demanded_and_a_content_address_needs_none()
    {
        var signed = TestOutput.Make("signed");
        var text = "a text"u8.ToArray();
        Assert.True(ContentAddress.TryParse(
            $"text:{NixHash.Sha256(SHA256.HashData(text))}", out var address));
        Assert.True(address.TryMakePath("text", [], self: false, out var path));
        var addressed = TestOutput.At(path, text);
        Cache.Add(signed, "xz", Signed);
        Cache.Add(addressed, "xz", line => $"{line}CA: {address}\n");

        var good = await RunAsync(
            signed.Path.Absolute, path.Absolute, "--public-key", $"{OtherKey.PublicKey}", "--public-key", $"{Key.PublicKey}");
        var bad = await RunAsync(signed.Path.Absolute, path.Absolute, "--public-key", $"{OtherKey.PublicKey}");
        Cache.Add(addressed.Forge(), "xz", line => $"{line}CA: {address}\n");
        var forged = await RunAsync(path.Absolute, "--public-key", $"{Key.PublicKey}");

        Assert.Equal((0, ""), (good.Code, good.Error));
        Assert.Equal(1, bad.Code);
        Assert.EndsWith(
            $"WRONG {signed.Path.Absolute}\n  signature: the narinfo says signed by cache-1; found: no valid signature by other-1\n",
            bad.Output, StringComparison.Ordinal);
        Assert.Equal(1, forged.Code);
        Assert.Contains($"  content-address: the narinfo says {address}; found: something else\n", forged.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task References_are_sought_in_the_nar_when_that_is_asked_for()
    {
        var libc = TestOutput.Make("libc");
        var text = $"{new string('x', 300_000)}{libc.Path.Absolute}/lib";
        var tool = TestOutput.At(TestOutput.PathOf("tool"), Encoding.ASCII.GetBytes(text), libc.Path);
        Cache.Add(libc, "xz");
        Cache.Add(tool, "xz");

        Assert.Equal(0, (await RunAsync("--closure", tool.Path.Absolute, "--references")).Code);
    }

    [Fact]
    public async Task A_second_run_skips_what_was_right_and_checks_the_rest_again()
    {
        var closure = MakeClosure(20);
        closure.ForEach(output => Cache.Add(output, "xz"));
        var (wrong, whole) = (closure[5], closure[5].File("xz"));
        Cache.AddFile("/" + wrong.NarInfo("xz").Url, closure[6].File("xz"));
        string[] arguments = ["--closure", closure[^1].Path.Absolute, "--state", _folder.File("audit.json")];

        var first = await RunAsync(arguments);
        var asked = Cache.Requests.Count;
        var second = await RunAsync(arguments);
        var again = Cache.Requests.Skip(asked).ToList();
        Cache.AddFile("/" + wrong.NarInfo("xz").Url, whole);
        var third = await RunAsync(arguments);
        var other = await RunAsync([.. arguments, "--public-key", $"{Key.PublicKey}"]);

        Assert.Equal((1, 1, 0), (first.Code, second.Code, third.Code));
        Assert.Equal(
            [$"GET /{wrong.Path.Digest}.narinfo", $"GET /{wrong.NarInfo("xz").Url}"], again);
        Assert.Matches("  right +19  \\(19 checked earlier\\)\n", second.Output);
        Assert.Matches("  right +20  \\(19 checked earlier\\)\n", third.Output);
        Assert.Equal(2, other.Code);
        Assert.Contains("is of another audit", other.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_that_is_killed_leaves_a_whole_state_and_the_next_goes_on()
    {
        var outputs = Enumerable.Range(0, 30).Select(i => TestOutput.Make($"path-{i}")).ToList();
        outputs.ForEach(output => Cache.Add(output, "xz"));
        var state = _folder.File("audit.json");
        string[] arguments = [.. outputs.Select(output => output.Path.Absolute), "--parallel", "1", "--state", state];
        var isLate = new TaskCompletionSource();
        Cache.Intercept = async context =>
        {
            if (Cache.Requests.Count(request => request.Contains("/nar/", StringComparison.Ordinal)) >= 5)
            {
                isLate.TrySetResult();
                await Task.Delay(System.Threading.Timeout.Infinite, context.RequestAborted);
            }

            return false;
        };

        using (var killed = Process.Start(Executable.Start(["audit-cache", $"{Cache.Url}", .. arguments]))!)
        {
            await isLate.Task;
            await Eventually.UntilAsync(() => File.Exists(state));
            killed.Kill();
            await killed.WaitForExitAsync();
        }

        Cache.Intercept = null;
        var (code, text, error) = await RunAsync(arguments);
        var twice = Cache.Requests.Where(request => request.Contains("/nar/", StringComparison.Ordinal)).GroupBy(request => request)
            .Count(group => group.Count() > 1);

        Assert.Equal((0, ""), (code, error));
        Assert.Matches("right +30  \\([1-4] checked earlier\\)", text);
        Assert.InRange(twice, 1, 4);
    }

    [Fact]
    public async Task No_more_paths_than_allowed_are_fetched_at_once_and_no_more_bytes_a_second()
    {
        var outputs = Enumerable.Range(0, 8).Select(i => TestOutput.Make($"path-{i}", 20_000)).ToList();
        outputs.ForEach(output => Cache.Add(output));
        var (now, most) = (0, new ConcurrentBag<int>());
        Cache.Intercept = async context =>
        {
            if (context.Request.Path == "/nix-cache-info")
            {
                return false; // asked for once, beside the first path
            }

            most.Add(Interlocked.Increment(ref now));
            await Task.Delay(20);
            Interlocked.Decrement(ref now);
            return false;
        };
        var start = Stopwatch.GetTimestamp();

        var (code, _, error) = await RunAsync(
            [.. outputs.Select(output => output.Path.Absolute), "--parallel", "2", "--rate", "80KiB"]);

        Assert.Equal((0, ""), (code, error));
        Assert.Equal(2, most.Max());
        Assert.True(Stopwatch.GetElapsedTime(start) >= TimeSpan.FromSeconds(160_000d / (80 << 10)));
    }

    [Fact]
    public async Task A_cache_that_asks_for_a_pause_is_waited_for_and_one_that_is_away_is_exit_code_3()
    {
        var output = TestOutput.Make();
        Cache.Add(output);
        var isBusy = true;
        Cache.Intercept = context =>
        {
            (var was, isBusy) = (isBusy, false);
            context.Response.StatusCode = was ? 429 : 200;
            return Task.FromResult(was);
        };

        var busy = await RunAsync(output.Path.Absolute);
        var absent = await RunAsync(TestOutput.PathOf("absent").Absolute);
        await Cache.StopAsync();
        var away = await RunAsync(output.Path.Absolute, "--wait", "1");

        Assert.Equal((0, 3, 3), (busy.Code, absent.Code, away.Code));
        Assert.Contains($"unknown {output.Path.Absolute}: connection-refused", away.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_of_the_configuration_brings_its_keys()
    {
        var output = TestOutput.Make();
        Cache.Add(output, "xz", Signed);
        var config = _folder.File("config.json", $$"""
            { "stateDirectory": "{{_folder.Path}}", "upstreams": [{ "name": "main", "url": "{{Cache.Url}}" }],
              "caches": [{ "name": "voter", "url": "{{Cache.Url}}", "publicKeys": ["{{OtherKey.PublicKey}}"] }],
              "policy": { "quorum": 1 } }
            """);

        var main = await Cli.RunAsync(["audit-cache", "main", output.Path.Absolute, "--config", config]);
        var voter = await Cli.RunAsync(["audit-cache", "voter", "-", "--config", config], input: $"{output.Path}\n");

        Assert.Equal((0, ""), (main.Code, main.Error));
        Assert.Equal((1, ""), (voter.Code, voter.Error));
    }

    [Theory]
    [InlineData("nowhere /nix/store/83qfhg2g0rh45zf2f0smb15my5kgbmb1-hello-1.0", "URL is 'nowhere'; it must be an address")]
    [InlineData("http://127.0.0.1:1", "no path to check is given")]
    [InlineData("http://127.0.0.1:1 hello", "PATH is 'hello'")]
    [InlineData("http://127.0.0.1:1 ", "PATH is ''")]
    [InlineData("http://127.0.0.1:1 /gnu/store/83qfhg2g0rh45zf2f0smb15my5kgbmb1-a", "for the other store give --store /gnu/store")]
    [InlineData("http://127.0.0.1:1 /nix/store/83qfhg2g0rh45zf2f0smb15my5kgbmb1-a --store /opt", "--store is '/opt'; it must be")]
    [InlineData("http://127.0.0.1:1 /nix/store/83qfhg2g0rh45zf2f0smb15my5kgbmb1-a --closure ./b", "give one of them")]
    [InlineData("http://127.0.0.1:1 /nix/store/83qfhg2g0rh45zf2f0smb15my5kgbmb1-a --rate fast", "--rate is 'fast'")]
    [InlineData("http://127.0.0.1:1 /nix/store/83qfhg2g0rh45zf2f0smb15my5kgbmb1-a --parallel 0", "--parallel is 0")]
    [InlineData("http://127.0.0.1:1 /nix/store/83qfhg2g0rh45zf2f0smb15my5kgbmb1-a --public-key x", "--public-key is 'x'")]
    [InlineData("http://127.0.0.1:1 /nix/store/83qfhg2g0rh45zf2f0smb15my5kgbmb1-a --state /dev/null", "is not the state of an audit")]
    public async Task A_fault_of_usage_names_the_argument_and_the_remedy(string arguments, string told)
    {
        var (code, _, error) = await Cli.RunAsync(["audit-cache", .. arguments.Split(' ')], Environment);

        Assert.Equal(2, code);
        Assert.Contains(told, error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{", "is not the state of an audit")]
    [InlineData("""{ "version": 2, "audit": "", "right": [] }""", "is of version 2")]
    [InlineData("""{ "version": 1, "audit": "URL", "right": [null] }""", "has an empty entry")]
    [InlineData("""{ "version": 1, "audit": "URL", "right": [{ "path": "x", "narHash": "", "references": [] }] }""", "has 'x'")]
    public async Task A_file_that_is_no_state_is_refused_and_stays_as_it_is(string text, string told)
    {
        var state = text.Replace("URL", Cache.Url.AbsoluteUri.TrimEnd('/'), StringComparison.Ordinal);
        var file = _folder.File("audit.json", state);

        var (code, _, error) = await RunAsync(TestOutput.PathOf("hello").Absolute, "--state", file);

        Assert.Equal(2, code);
        Assert.Contains($"--state: '{file}' {told}", error, StringComparison.Ordinal);
        Assert.Equal(state, await File.ReadAllTextAsync(file));
    }

    private Task<(int Code, string Output, string Error)> RunAsync(params IEnumerable<string> arguments) =>
        Cli.RunAsync(["audit-cache", $"{Cache.Url}", .. arguments], Environment);

    private static string Signed(string text) =>
        NarInfo.TryParse(Encoding.ASCII.GetBytes(text), out var narInfo, out _)
            ? $"{text}Sig: {Key.Sign(narInfo.Fingerprint)}\n" : throw new ArgumentException(text);

    private static int Number(JsonElement json, string name) => json.GetProperty(name).GetInt32();

    /// <summary>Outputs that each refer to up to two before them; the last reaches all.</summary>
    private static List<TestOutput> MakeClosure(int count)
    {
        var outputs = new List<TestOutput>();
        for (var i = 0; i < count; i++)
        {
            outputs.Add(TestOutput.Make($"path-{i}", 1000 + i, [.. outputs.TakeLast(2).Select(output => output.Path)]));
        }

        return outputs;
    }
}
