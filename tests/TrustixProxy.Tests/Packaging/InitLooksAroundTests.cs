using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using TrustixProxy.IO.Programs;
using TrustixProxy.Nix;
using TrustixProxy.Setup;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests.Packaging;

/// <summary><c>init</c> says what the machine has, proposes a preset, and tries what it has written. Nothing that is broken or away
/// holds it up.</summary>
public sealed class InitLooksAroundTests
{
    private static readonly string CacheKey = NixSecretKey.Generate("main-1").PublicKey.ToString();

    [Fact]
    public async Task Whoever_answers_is_named_and_the_first_lines_of_doctor_end_it()
    {
        var hello = TestOutput.Make("hello-2.12.1");
        await using var stage = await Stage.StartAsync();
        stage.Publish(hello, "alice", "bob");
        stage.Proxy.Upstream().AddFile("/nix-cache-info", "StoreDir: /nix/store\n"u8.ToArray());
        var environment = stage.WithNix((hello, hello));
        environment["HOME"] = stage.Folder.Path;
        File.CreateSymbolicLink(stage.Folder.File(".nix-profile"), hello.Path.Absolute);
        var wrongKey = Convert.ToBase64String(NixSecretKey.Generate("other-1").PublicKey.Bytes);

        var (code, output, said) = await Cli.RunAsync(["init", "--preset", "home", "--directory", stage.Folder.File("made"),
            "--cache", $"main,{stage.Proxy.Upstream().Url},{CacheKey}", .. Log("alice"), .. Log("bob"),
            "--log", $"carol,{stage.Proxy.Log("carol").Url},{wrongKey}"], environment);

        Assert.True(code is 0, said);
        Assert.Contains("log alice at http://127.0.0.1:", said, StringComparison.Ordinal);
        Assert.Matches("log bob at [^ ]+ answers\n", said);
        Assert.Matches("log carol at [^ ]+ does not vote \\(head-signature\\): its head is signed by another key than publicKey", said);
        Assert.Matches("upstream main at [^ ]+ answers\n", said);
        Assert.Contains("of the 1 paths of /nix/store/", said, StringComparison.Ordinal);
        Assert.Contains("  agreed                   1\n", said, StringComparison.Ordinal);
        Assert.EndsWith($"the whole: trustix-proxy doctor --config {stage.Folder.File("made/trustix-proxy.json")}\n", said,
            StringComparison.Ordinal);
        Assert.StartsWith("wrote ", output, StringComparison.Ordinal);

        string[] Log(string name) => ["--log", $"{name},{stage.Proxy.Log(name).Url},{stage.Proxy.Log(name).Log.Signer.Key}"];
    }

    [Fact]
    public async Task Without_a_network_it_ends_and_says_what_to_look_at()
    {
        using var folder = new Folder();
        using var mute = new TcpListener(IPAddress.Loopback, 0);
        mute.Start(); // takes connections, and never answers

        var refused = await InitAsync(folder, "refused", "http://127.0.0.1:1");
        var silent = await InitAsync(folder, "silent", $"http://{mute.LocalEndpoint}");
        var page = await InitAsync(folder, "page", await PageAsync());

        Assert.Matches(
            @"cache main at http://127\.0\.0\.1:1/ does not vote \((unreachable|breaker-open)\): check its url, this machine's DNS",
            refused);
        Assert.Contains("upstream main at http://127.0.0.1:1/ cannot be reached (connection-refused)", refused, StringComparison.Ordinal);
        Assert.Contains("doctor has nobody to ask yet; once the network is there: trustix-proxy doctor --config ", refused,
            StringComparison.Ordinal);
        Assert.Matches(@"cache main at [^ ]+ does not vote \([a-z-]+\): ", silent);
        Assert.Contains("does not answer within 5 s", silent, StringComparison.Ordinal);
        Assert.Contains("is no binary cache of /nix/store: check its url, also its path", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_nix_asks_and_believes_is_shown_also_of_an_old_one()
    {
        using var folder = new Folder();
        var old = Nix(folder, "old", "case \"$*\" in *config\\ show*) exit 1;; esac\nprintf 'substituters = https://a.example\\n'");
        var young = Nix(folder, "young", $"printf '%s\\n' 'substituters = https://cache.nixos.org/ https://b.example' "
            + $"'trusted-public-keys = {CacheKey}' 'trusted-users = root @wheel' 'require-sigs = false'");

        var ofOld = await Cli.RunAsync(["init", "--preset", "sources", "--offline", "--directory", folder.File("a")], old);
        var ofYoung = await Cli.RunAsync(["init", "--preset", "sources", "--offline", "--directory", folder.File("b")], young);

        Assert.Contains("Nix asks https://a.example, and believes nobody\n", ofOld.Error, StringComparison.Ordinal);
        Assert.Contains("Nix asks https://cache.nixos.org/, https://b.example, and believes main-1\n", ofYoung.Error,
            StringComparison.Ordinal);
        Assert.Contains("trusted-users has @wheel, who may name other substituters and keys: leave root alone", ofYoung.Error,
            StringComparison.Ordinal);
        Assert.Contains("require-sigs is false, so Nix believes any binary", ofYoung.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_nix_that_never_answers_is_left_alone()
    {
        using var folder = new Folder();
        var sleep = ProgramStart.Find("sleep", Environment.GetEnvironmentVariable("PATH"));
        var environment = Nix(folder, "bin", $"exec {sleep} 1000");

        var (code, _, said) = await Cli.RunAsync(["init", "--preset", "sources", "--offline", "--directory", folder.File("made")],
            environment);

        Assert.True(code is 0, said);
        Assert.Contains("Nix does not say what it asks and believes", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_taken_port_is_passed_over_where_only_this_machine_asks_and_told_of_where_others_do()
    {
        using var folder = new Folder();
        using var taken = Take(Ports.Proxy);
        using var chosen = Take(0);
        var port = ((IPEndPoint)chosen.LocalEndpoint).Port;
        string[] watch = ["init", "--preset", "watch", "--offline", "--directory", folder.File("made")];

        var moved = await Cli.RunAsync(watch);
        var first = Listen(folder);
        taken.Stop();
        var again = await Cli.RunAsync([.. watch, "--force"]);
        var named = await Cli.RunAsync(
            ["init", "--preset", "watch", "--offline", "--directory", folder.File("named"), "--port", $"{port}"]);
        var wrong = await Cli.RunAsync([.. watch, "--port", "70000"]);

        Assert.Contains("port 8080 is taken by another program; ", moved.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(":8080\"", first, StringComparison.Ordinal);
        Assert.Contains($"substituters = {JsonNode.Parse(first)![0]}\n", moved.Output, StringComparison.Ordinal);
        Assert.True(again.Code is 0, again.Error);
        Assert.Equal(first, Listen(folder)); // what others were told of stays
        Assert.Contains($"port {port} is taken by another program: stop that, or choose another with --port", named.Error,
            StringComparison.Ordinal);
        Assert.Equal(2, wrong.Code);
        Assert.Contains("--port is '70000'; it must be from 1 to 65535", wrong.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_machine_is_known_by_its_files()
    {
        using var folder = new Folder();
        Write("nixos/etc/NIXOS", "");
        Write("nixos/etc/os-release", "NAME=NixOS\nID=nixos\nPRETTY_NAME=\"NixOS 25.11 (Xantusia)\"\n");
        Write("guix/gnu/store/.keep", "");
        Write("guix/etc/guix/acl", $"(acl (entry {Voter.Farms[1].Key} (tag (guix import))))");
        Write("debian/usr/lib/os-release", "PRETTY_NAME='Debian GNU/Linux 13 (trixie)'\n");
        Write("debian/run/systemd/system/.keep", "");

        var (nixos, guix, debian) = (await LookAsync("nixos"), await LookAsync("guix"), await LookAsync("debian"));

        Assert.Equal((true, "NixOS 25.11 (Xantusia)", false), (nixos.IsNixOS, nixos.System, nixos.HasSystemd));
        Assert.StartsWith("found NixOS 25.11 (Xantusia), with ", nixos.Sentences().First(), StringComparison.Ordinal);
        Assert.True(guix.HasGuix);
        Assert.Contains("Guix believes bordeaux (/etc/guix/acl)", guix.Sentences());
        Assert.Equal((false, true), (debian.IsNixOS, debian.HasSystemd));
        Assert.StartsWith("found Debian GNU/Linux 13 (trixie), not NixOS, ", debian.Sentences().First(), StringComparison.Ordinal);
        Assert.Equal(Preset.Farms, new Machine { HasGuix = true }.Proposal);
        Assert.Equal(Preset.Watch, new Machine { HasGuix = true, HasNix = true }.Proposal);

        Task<Machine> LookAsync(string root) => Machine.LookAsync(folder.File(root), CancellationToken.None);
        void Write(string name, string text)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(folder.File(name))!);
            folder.File(name, text);
        }
    }

    [Fact]
    public async Task Doctor_names_what_bypasses_the_vote_where_nix_asks_the_proxy()
    {
        var hello = TestOutput.Make("hello-2.12.1");
        await using var stage = await Stage.StartAsync();
        stage.Publish(hello, "alice", "bob");
        var beside = Nix(stage.Folder, "beside", $"printf '%s\\n' 'substituters = http://127.0.0.1:8080 https://other.example' "
            + $"'trusted-public-keys = {CacheKey}' 'trusted-users = root bob'");
        var without = Nix(stage.Folder, "without", "printf 'substituters = https://other.example\\n'");
        string[] doctor = ["doctor", "--config", stage.Config, "-"];

        var told = await Cli.RunAsync(doctor, beside, hello.Path.Absolute);
        var json = await Cli.RunAsync([.. doctor, "--json"], beside, hello.Path.Absolute);
        var stranger = await Cli.RunAsync(doctor, without, hello.Path.Absolute);

        foreach (var bypass in new[] { "substituters: has https://other.example beside the proxy",
            $"trusted-public-keys: has {CacheKey}, whose signature Nix believes without a vote",
            "trusted-public-keys: lacks ", "trusted-users: has bob, who may name other substituters" })
        {
            Assert.Contains($"BYPASSES THE VOTE {bypass}", told.Output, StringComparison.Ordinal);
            Assert.Contains(JsonNode.Parse(json.Output)!["bypasses"]!.AsArray().Select(sentence => (string)sentence!),
                sentence => sentence.StartsWith(bypass, StringComparison.Ordinal));
        }

        Assert.DoesNotContain("BYPASSES", stranger.Output, StringComparison.Ordinal);
    }

    private static TcpListener Take(int port)
    {
        var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
        }
        catch (SocketException)
        {
            // somebody else has it, which is as good
        }

        return listener;
    }

    private static string Listen(Folder folder) =>
        JsonNode.Parse(File.ReadAllText(folder.File("made/trustix-proxy.json")))!["listen"]!.ToJsonString();

    private static async Task<string> InitAsync(Folder folder, string name, string url)
    {
        var (code, _, said) = await Cli.RunAsync(
            ["init", "--preset", "watch", "--directory", folder.File(name), "--cache", $"main,{url},{CacheKey}"]);
        Assert.True(code is 0, said);
        return said;
    }

    private static async Task<string> PageAsync()
    {
        var server = await FakeUpstream.StartAsync(); // ends with the process
        server.AddFile("/nix-cache-info", Encoding.ASCII.GetBytes("<html>Welcome</html>"));
        return server.Url.ToString();
    }

    /// <summary>The environment of a machine with this for a Nix.</summary>
    private static Dictionary<string, string> Nix(Folder folder, string name, string script)
    {
        var bin = Directory.CreateDirectory(folder.File(name)).FullName;
        RunnableFile.WriteScript(Path.Combine(bin, "nix"), script);
        RunnableFile.WriteScript(Path.Combine(bin, "nix-store"), "shift 2; printf '%s\\n' \"$@\"");
        return new() { ["PATH"] = bin };
    }
}
