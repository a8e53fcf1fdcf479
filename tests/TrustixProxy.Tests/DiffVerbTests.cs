using System.Text.Json;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

public sealed class DiffVerbTests
{
    private static readonly StorePath Path = TestOutput.PathOf("hello-1.0");

    [Fact]
    public async Task Two_builders_outputs_are_compared_file_by_file()
    {
        await using var lab = await Lab.StartAsync();
        lab.Serve("one", Output("2026-11-23", "a\nb\nc\n"), "xz");
        lab.Serve("two", Output("2026-11-24", "a\nB\nc\n", isExecutable: true, extra: true), "zstd");

        var (code, text, error) = await lab.RunAsync(Path.Absolute);

        Assert.Equal((1, ""), (code, error));
        Assert.Matches($"""
            ^{System.Text.RegularExpressions.Regex.Escape(Path.Absolute)}
            a is one: sha256:\w+, [\d,]+ bytes
            b is two: sha256:\w+, [\d,]+ bytes
            changed bin/hello: file of 50 bytes → executable of 50 bytes
                1 byte differs in place, from byte 9 \(0x9\) on
                looks like a time, only in a: 2026-11-23
                looks like a time, only in b: 2026-11-24
                a 00000000  32 30 .*  2026-11-23\.{"{6}"}
            (    [ab] .*\n)+added   extra\\u001b: directory
            added   extra\\u001b/file: file of 0 bytes
            changed link: link to one → link to two
            changed text: file of 6 bytes
                1 byte differs in place, from byte 2 \(0x2\) on
                @@ line 1 @@
                 a
                -b
                \+B
                 c
            3 changed, 0 removed \(only in a\), 2 added \(only in b\), 3 same
            $
            """.Replace("\r", "", StringComparison.Ordinal), text);
    }

    [Fact]
    public async Task Programs_are_told_the_same()
    {
        await using var lab = await Lab.StartAsync();
        lab.Serve("one", Output("2026-11-23", "a\n"));
        lab.Serve("two", Output("2026-11-24", "a\n", extra: true));

        var (code, text, _) = await lab.RunAsync(Path.ToString(), "--between", "two", "one", "--json");
        var json = JsonDocument.Parse(text).RootElement;
        var differences = json.GetProperty("differences").EnumerateArray().ToList();

        Assert.Equal((1, "different", "two", Path.Absolute), (code, json.GetProperty("outcome").GetString(),
            json.GetProperty("a").GetProperty("name").GetString(), json.GetProperty("path").GetString()));
        Assert.Equal(["changed bin/hello", """removed extra\u001b""", """removed extra\u001b/file""", "changed link"], differences.Select(item => $"{item.GetProperty("change")} {item.GetProperty("path")}"));
        Assert.Equal(
            ("2026-11-24", 9, "regular"),
            (differences[0].GetProperty("contents").GetProperty("onlyInA")[0].GetProperty("text").GetString(), differences[0]
            .GetProperty("contents").GetProperty("first").GetInt32(), differences[0].GetProperty("a").GetProperty("type").GetString()));
        Assert.Equal((2, 0, 2, 4), (json.GetProperty("removed").GetInt32(), json.GetProperty("added").GetInt32(),
            json.GetProperty("changed").GetInt32(), json.GetProperty("same").GetInt32()));
    }

    [Fact]
    public async Task The_same_is_exit_code_0_and_nothing_to_compare_3()
    {
        await using var lab = await Lab.StartAsync();
        var output = Output("2026-11-23", "a\n");
        lab.Serve("two", output);

        var alone = await lab.RunAsync(Path.Absolute);
        lab.Serve("one", output);
        var same = await lab.RunAsync(Path.Absolute);
        var missing = await lab.RunAsync(TestOutput.PathOf("other").Absolute, "--between", "one", "two", "--json");

        Assert.Equal((3, "", "the NAR of two builders is needed to compare, and of the upstreams and caches of the configuration only two "
            + "has one; one: absent. Name two with --between: an upstream, a cache, local, or a file.\n"), alone);
        Assert.Equal(0, same.Code);
        Assert.EndsWith($"same: both name {output.Statement.NarHash}\n", same.Output, StringComparison.Ordinal);
        Assert.Equal((3, "", "the NAR of one is not available: absent\n"), missing);
    }

    [Fact]
    public async Task A_cache_that_sends_another_nar_than_it_names_is_told_of_and_the_json_is_whole()
    {
        await using var lab = await Lab.StartAsync();
        lab.Serve("one", Output("2026-11-23", "a\n"));
        lab.Serve("two", Output("2026-11-24", "a\n"));
        lab["two"].Lie = UpstreamLie.OtherFile;
        lab["two"].AddFile("/other", Output("2026-11-25", "a\n").Nar);

        var (code, text, error) = await lab.RunAsync(Path.Absolute, "--json");
        var json = JsonDocument.Parse(text).RootElement;

        Assert.Equal((3, "unknown"), (code, json.GetProperty("outcome").GetString()));
        Assert.StartsWith("the NAR of two is not the declared one: its hash is sha256:", error, StringComparison.Ordinal);
        Assert.Equal(error.TrimEnd(), json.GetProperty("fault").GetString());
    }

    [Fact]
    public async Task Two_that_are_named_are_compared_by_their_bytes_though_both_name_the_same_hash()
    {
        await using var lab = await Lab.StartAsync();
        var output = Output("2026-11-23", "a\n");
        lab.Serve("one", output);
        lab.Serve("two", output);
        var same = await lab.RunAsync(Path.Absolute, "--between", "one", "two");
        lab["two"].Lie = UpstreamLie.FlippedLastByte;

        var other = await lab.RunAsync(Path.Absolute, "--between", "one", "two");

        Assert.Equal(0, same.Code);
        Assert.Equal(3, other.Code);
        Assert.StartsWith("the NAR of two ", other.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_and_the_machines_own_store_can_be_compared_without_any_configuration()
    {
        using var folder = new Folder();
        var (mine, other) = (Output("2026-11-23", "a\n"), Output("2026-11-24", "a\n"));
        File.WriteAllBytes(folder.File("mine.nar"), mine.Nar);
        File.WriteAllBytes(folder.File("other.nar.xz"), other.File("xz"));
        RunnableFile.WriteScript(folder.File("nix-store"), $"[ \"$1\" != --dump ] || exec cat '{folder.File("mine.nar")}'");
        var environment = new Dictionary<string,
            string>
        { ["PATH"] = $"{folder.Path}:{Environment.GetEnvironmentVariable("PATH")}", ["XDG_STATE_HOME"] = folder.Path };

        var differ = await Cli.RunAsync(["diff", Path.Absolute, "--between", "local", folder.File("other.nar.xz")], environment);
        var same = await Cli.RunAsync(["diff", Path.Absolute, "--between", folder.File("mine.nar"), "local"], environment);
        var none = await Cli.RunAsync(["diff", Path.Absolute, "--between", "local", "nobody"], environment);
        var noPath = await Cli.RunAsync(["diff", "hello", "--between", "local", "local"], environment);

        Assert.Equal((1, ""), (differ.Code, differ.Error));
        Assert.Contains("\na is local\n", differ.Output, StringComparison.Ordinal);
        Assert.Equal((0, ""), (same.Code, same.Error));
        Assert.EndsWith($"same: {mine.Statement.NarHash}, 6 paths\n", same.Output, StringComparison.Ordinal);
        Assert.Equal(
            (2, "--between has 'nobody', which is no upstream or cache of the configuration (it has none), nor 'local', nor a file.\n"),
            (none.Code, none.Error));
        Assert.Equal(2, noPath.Code);
    }

    private static TestOutput Output(string date, string text, bool isExecutable = false, bool extra = false) => TestOutput.Of(Path, nar =>
    {
        nar.Directory();
        Entry(nar, "bin", () =>
        {
            nar.Directory();
            Entry(nar, "hello", () => nar.File(System.Text.Encoding.ASCII.GetBytes(date.PadRight(50, '\0')), isExecutable));
            nar.EndDirectory();
        });
        if (extra)
        {
            Entry(nar, "extra\u001b", () =>
            {
                nar.Directory();
                Entry(nar, "file", () => nar.File([]));
                nar.EndDirectory();
            });
        }

        Entry(nar, "link", () => nar.Symlink(extra ? "two" : "one"));
        Entry(nar, "same", () => nar.File("same"u8));
        Entry(nar, "text", () => nar.File(System.Text.Encoding.ASCII.GetBytes(text)));
        nar.EndDirectory();
    });

    private static void Entry(NarWriter nar, string name, Action write)
    {
        nar.Entry(name);
        write();
        nar.EndEntry();
    }

    /// <summary>An upstream and a cache, and a configuration that names them.</summary>
    private sealed class Lab : IAsyncDisposable
    {
        private readonly Folder _folder = new();
        private readonly Dictionary<string, FakeUpstream> _places = [];

        public FakeUpstream this[string name] => _places[name];

        public static async Task<Lab> StartAsync()
        {
            var lab = new Lab();
            lab._places["one"] = await FakeUpstream.StartAsync();
            lab._places["two"] = await FakeUpstream.StartAsync();
            lab._folder.File("config.json", $$"""
                { "stateDirectory": "{{lab._folder.Path}}", "upstreams": [{ "name": "one", "url": "{{lab["one"].Url}}" }],
                  "caches": [{ "name": "two", "url": "{{lab["two"].Url}}",
                      "publicKeys": ["cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY="] }] }
                """);
            return lab;
        }

        public void Serve(string name, TestOutput output, string compression = "none") => _places[name].Add(output, compression);

        public Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments) =>
            Cli.RunAsync(["diff", .. arguments, "--config", _folder.File("config.json")]);

        public async ValueTask DisposeAsync()
        {
            _folder.Dispose();
            foreach (var place in _places.Values)
            {
                await place.DisposeAsync();
            }
        }
    }
}
