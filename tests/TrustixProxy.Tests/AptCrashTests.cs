using System.Diagnostics;
using System.Globalization;
using System.Text;
using TrustixProxy.AptGate.Tests;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Tests;

/// <summary>The gate as a process: killed (SIGKILL) while files pass, hung up on, and started twice.</summary>
public sealed class AptCrashTests : IAsyncLifetime, IDisposable
{
    private const string DebPath = "/pool/main/h/hello/hello_1.0-1_amd64.deb", PlainPath = "/dists/sid/main/binary-all/Packages";

    private static readonly byte[] Deb = [.. "!<arch>\ndebian-binary   "u8, .. Enumerable.Repeat((byte)7, 1_000_000)];

    private static readonly byte[] Index = Encoding.ASCII.GetBytes($"""
        Package: hello
        Version: 1.0-1
        Architecture: amd64
        Filename: {DebPath[1..]}
        Size: {Deb.Length}
        SHA256: {Digest.Of(Deb)}
        Description: {new string('d', 300_000)}


        """);

    private static readonly string HashedPath = $"/dists/sid/main/binary-amd64/by-hash/SHA256/{Digest.Of(Index)}";

    private readonly Folder _folder = new();
    private readonly HttpClient _http = new();
    private readonly List<Process> _processes = [];
    private FakeArchive _archive = null!;
    private FakeRebuilder _rebuilder = null!;
    private string _config = "";

    private string State => Path.Combine(_folder.Path, "state");

    public async Task InitializeAsync()
    {
        (_archive, _rebuilder) = (await FakeArchive.StartAsync(), await FakeRebuilder.StartAsync());
        (_archive.Files[DebPath], _archive.Files[HashedPath], _archive.Files[PlainPath]) = (Deb, Index, Index);
        _rebuilder.Say(DebPath.Split('/')[^1], Digest.Of(Deb), "GOOD");
        _config = _folder.File("apt.json", $$"""
            { "listen": ["http://127.0.0.1:0"], "operations": { "listen": [] }, "stateDirectory": "{{State}}",
              "archives": [ { "name": "debian", "url": "{{_archive.Url}}" } ], "policy": { "quorum": 1 },
              "rebuilders": [ { "name": "alice", "url": "{{_rebuilder.Url}}", "publicKey": "{{_rebuilder.KeyText}}" } ] }
            """);
    }

    public void Dispose()
    {
        _http.Dispose();
        _folder.Dispose();
    }

    public async Task DisposeAsync()
    {
        foreach (var process in _processes)
        {
            process.Kill();
            process.Dispose();
        }

        await _archive.DisposeAsync();
        await _rebuilder.DisposeAsync();
    }

    [Theory]
    [InlineData("a package that an index names")]
    [InlineData("a package that no index names")]
    [InlineData("an index by its hash")]
    [InlineData("an index by its name")]
    public async Task A_gate_that_is_killed_while_a_file_passes_serves_no_part_of_it_and_the_next_goes_on(string what)
    {
        var path = what.Contains("package", StringComparison.Ordinal) ? DebPath
            : what.Contains("hash", StringComparison.Ordinal) ? HashedPath : PlainPath;
        var (gate, url) = await StartAsync();
        if (what.EndsWith("an index names", StringComparison.Ordinal))
        {
            Assert.Equal(Index, await _http.GetByteArrayAsync(new Uri(url, "debian" + HashedPath)));
        }

        _archive.Lie = ArchiveLie.Halt;
        var passing = _http.GetAsync(new Uri(url, "debian" + path));
        await Eventually.UntilAsync(() => path == PlainPath ? _archive.CountOf(path) > 0 : Parts().Exists(part => part.Length > 0));
        gate.Kill();
        await gate.WaitForExitAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => passing);
        Assert.Equal(path == PlainPath ? 0 : 1, Parts().Count);

        _archive.Lie = ArchiveLie.None;
        var (_, next) = await StartAsync();
        Assert.Equal(_archive.Files[path], await _http.GetByteArrayAsync(new Uri(next, "debian" + path)));
        Assert.Equal(2, _archive.CountOf(path));
        Assert.Equal(Deb, await _http.GetByteArrayAsync(new Uri(next, "debian" + DebPath)));
        await Eventually.UntilAsync(() => Parts().Count is 0);
    }

    [Fact]
    public async Task A_second_gate_on_the_same_state_is_refused_and_SIGHUP_ends_none()
    {
        var (gate, url) = await StartAsync();

        var second = await Cli.RunAsync(["apt", "serve", "--config", _config]);
        using var hangUp = Process.Start("kill", ["-HUP", gate.Id.ToString(CultureInfo.InvariantCulture)]);
        await LineAsync(gate, "warning: SIGHUP: a changed configuration takes a restart");

        Assert.Equal(2, second.Code);
        Assert.Contains("which another trustix-proxy process uses", second.Error, StringComparison.Ordinal);
        Assert.Equal(Deb, await _http.GetByteArrayAsync(new Uri(url, "debian" + DebPath)));
    }

    /// <summary>The files that are being written, or were when a gate was killed.</summary>
    private List<FileInfo> Parts() => [.. new DirectoryInfo(Path.Combine(State, "files")).GetFiles(".writing-*")];

    private async Task<(Process Gate, Uri Url)> StartAsync()
    {
        var process = Process.Start(Executable.Start("apt", "serve", "--config", _config))!;
        _processes.Add(process);
        return (process, new Uri((await LineAsync(process, "serving packages at "))["serving packages at ".Length..]));
    }

    private static async Task<string> LineAsync(Process process, string begin)
    {
        var lines = new List<string>();
        while (await process.StandardError.ReadLineAsync() is { } line)
        {
            lines.Add(line);
            if (line.StartsWith(begin, StringComparison.Ordinal))
            {
                return line;
            }
        }

        throw new InvalidOperationException($"'{begin}' was not said, but: {string.Join('\n', lines)}");
    }
}
