using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests.Packaging;

/// <summary>The four ways of <c>TEN-MINUTES.md</c>, each walked from an empty folder to its end, command by command as the page has
/// them.</summary>
public sealed partial class TenMinuteTests : IAsyncLifetime, IDisposable
{
    private const string Page = "src/TrustixProxy/TEN-MINUTES.md";

    private static readonly NixSecretKey CacheKey = NixSecretKey.Generate("cache.example-1");

    private readonly Folder _folder = new();
    private readonly List<Process> _running = [];
    private readonly TestOutput _hello = TestOutput.Make("hello-2.12.1");
    private FakeUpstream _cache = null!;

    public async Task InitializeAsync()
    {
        _cache = await FakeUpstream.StartAsync();
        _cache.AddFile("/nix-cache-info", "StoreDir: /nix/store\n"u8.ToArray());
        _cache.Add(_hello, change: text => NarInfo.TryParse(Encoding.ASCII.GetBytes(text), out var info, out _)
            ? $"{text}Sig: {CacheKey.Sign(info.Fingerprint)}\n" : text);
        var bin = Directory.CreateDirectory(_folder.File("bin")).FullName;
        RunnableFile.WriteScript(Path.Combine(bin, "nix"), $$"""echo '[{"path":"{{_hello.Path.Absolute}}","narHash":"{{_hello.Statement.NarHash}}","narSize":{{_hello.Statement.NarSize}},"references":[]}]'""");
        RunnableFile.WriteScript(Path.Combine(bin, "nix-store"), $"[ \"$1\" = -q ] || exit 0\necho {_hello.Path.Absolute}");
    }

    public async Task DisposeAsync()
    {
        foreach (var process in _running)
        {
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }

        await _cache.DisposeAsync();
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task At_home_the_caches_word_comes_with_the_proxys_key()
    {
        var lines = Lines("At home");

        var made = await TypeAsync($"{lines[0]} --cache {CacheLine}");
        var read = await TypeAsync(lines[1]);
        var url = await ServeAsync(lines[2]);

        Assert.Equal(3, lines.Count);
        Assert.StartsWith("A path is served when main claims an output of it.", read, StringComparison.Ordinal);
        await AssertServedAsync(url, made);
    }

    [Fact]
    public async Task A_builder_an_organisation_and_an_auditor_follow_on_each_other()
    {
        var (builder, organisation, auditor) = (Lines("A builder"), Lines("An organisation"), Lines("An auditor"));

        var vouched = await TypeAsync(builder[0]);
        var log = await ServeAsync(builder[1]);
        await TypeAsync($"{builder[2]} --url {_private}");
        var add = vouched.Split('\n').Single(line => line.StartsWith("others add: ", StringComparison.Ordinal))["others add: ".Length..]
            .Replace("http://alice.example:8090", log, StringComparison.Ordinal);
        var made = await TypeAsync(
            $"{organisation[0].Replace("OTHERS-ADD", add, StringComparison.Ordinal)} --cache {CacheLine}");
        var url = await ServeAsync(organisation[1]);
        var doctor = await TypeAsync(organisation[2]);
        await AssertServedAsync(url, made);
        var explained = await TypeAsync(auditor[0]);
        var verified = await TypeAsync(auditor[1]);
        var audited = await TypeAsync(auditor[2].Replace("CACHE", _cache.Url.ToString(), StringComparison.Ordinal));

        Assert.Equal((3, 3, 3), (builder.Count, organisation.Count, auditor.Count));
        Assert.Contains("  agreed                   1\n", doctor, StringComparison.Ordinal);
        Assert.Contains("tied to leaf 0", explained, StringComparison.Ordinal);
        Assert.Contains("agreed", verified, StringComparison.Ordinal);
        Assert.Contains("  right                    1\n", audited, StringComparison.Ordinal);
    }

    private string CacheLine => $"main,{_cache.Url},{CacheKey.PublicKey}";

    private string _private = "";

    /// <summary>The commands at the prompts of a section.</summary>
    private static IReadOnlyList<string> Lines(string heading)
    {
        var text = Repository.Read(Page);
        var section = text[text.IndexOf($"\n## {heading}\n", StringComparison.Ordinal)..];
        return [.. Typed.Matches(Block.Match(section).Value).Select(match => match.Groups[1].Value)];
    }

    private Dictionary<string, string> Environment => new()
    {
        ["HOME"] = _folder.Path,
        ["XDG_STATE_HOME"] = _folder.File("state"),
        ["PATH"] = $"{_folder.File("bin")}:{System.Environment.GetEnvironmentVariable("PATH")}",
        ["TRUSTIXPROXY__DEADLINE"] = "00:01:00", // however busy the machine is
    };

    private string Filled(string line) =>
        line.Replace("/nix/store/…-hello-2.12.1", _hello.Path.Absolute, StringComparison.Ordinal);

    private async Task<string> TypeAsync(string line)
    {
        var words = Filled(line).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..];
        var environment = Environment;
        if (words[0] is "init" or "log" or "audit-cache")
        {
            environment.Remove("TRUSTIXPROXY__DEADLINE"); // no key of theirs
        }

        var (code, output, error) = await Cli.RunInAsync(_folder.Path, words, environment);
        Assert.True(code is 0, $"{line}\n{output}{error}");
        return output;
    }

    /// <summary>Starts what does not end by itself, at ports of its own.</summary>
    /// <returns>Where it serves.</returns>
    private async Task<string> ServeAsync(string line)
    {
        var words = Filled(line).Split(' ')[1..];
        var isLog = words[0] is "log";
        var start = Executable.Start(words);
        start.WorkingDirectory = _folder.Path;
        foreach (var (name, value) in Environment.Where(variable => !isLog || variable.Key is not "TRUSTIXPROXY__DEADLINE"))
        {
            start.Environment[name] = value;
        }

        start.Environment["TRUSTIXPROXY__LISTEN__0"] = "http://127.0.0.1:0";
        start.Environment[isLog ? "TRUSTIXPROXY__PRIVATELISTEN__0" : "TRUSTIXPROXY__OPERATIONS__LISTEN__0"] = "http://127.0.0.1:0";
        var process = Process.Start(start)!;
        _running.Add(process);
        var said = new List<string>();
        while (await process.StandardError.ReadLineAsync() is { } read)
        {
            said.Add(read);
            if (read.StartsWith("serving ", StringComparison.Ordinal))
            {
                var urls = Url.Matches(read).Select(match => match.Value).ToList();
                _private = isLog ? urls[1] : _private;
                return urls[0];
            }
        }

        throw new InvalidOperationException(string.Join('\n', said));
    }

    /// <summary>The path has the one signature that Nix was told of.</summary>
    private async Task AssertServedAsync(string url, string made)
    {
        using var http = new HttpClient();
        var text = await http.GetStringAsync(new Uri($"{url}/{_hello.Path.Digest}.narinfo"));
        const string Setting = "trusted-public-keys = ";
        var told = made.Split('\n').Select(line => line.Trim())
            .Single(line => line.StartsWith(Setting, StringComparison.Ordinal))[Setting.Length..];
        Assert.True(NixPublicKey.TryParse(told, out var key, out _), told);
        Assert.True(NarInfo.TryParse(Encoding.ASCII.GetBytes(text), out var info, out _), text);
        Assert.NotNull(key.FindSignature(info));
        var nar = await http.GetByteArrayAsync(new Uri($"{url}/{NarUrl.Match(text).Groups[1].Value}"));
        Assert.Equal(_hello.Statement.NarSize.ToString(CultureInfo.InvariantCulture), nar.Length.ToString(CultureInfo.InvariantCulture));
    }

    [GeneratedRegex(@"^\$ (trustix-proxy [^#\n]+)", RegexOptions.Multiline)]
    private static partial Regex Typed { get; }

    [GeneratedRegex("^```console\n(.+?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block { get; }

    [GeneratedRegex(@"http://127\.0\.0\.1:\d+")]
    private static partial Regex Url { get; }

    [GeneratedRegex(@"^URL: (\S+)$", RegexOptions.Multiline)]
    private static partial Regex NarUrl { get; }
}
