using System.Diagnostics;
using System.Text.RegularExpressions;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests.Packaging;

/// <summary>What the documents tell people to type works, as far as it can work here.</summary>
public sealed partial class ReadmeCommandTests
{
    private static readonly string Documents = Repository.DocumentsText;

    /// <summary>What is run by other tests: it needs two builders' caches, a Nix or Guix with builds of its own, evidence, or does
    /// not end.</summary>
    private static readonly string[] Elsewhere = [" diff ", " log serve", " log submit", " rebuild", "mallory", " keygen ", " init ",
        " --acl ", " apt.json", " home/", " farm/", " CACHE "]; // the last three are walked by TenMinuteTests

    [Fact]
    public async Task Each_option_in_it_is_one_of_its_verb()
    {
        var helps = new Dictionary<string, Task<(int Code, string Output, string Error)>>();
        var lines = Commands.Matches(Documents).Select(match => match.Groups[1].Value)
            .Where(line => line.Contains(" --", StringComparison.Ordinal)).ToList();

        Assert.True(lines.Count > 10);
        foreach (var line in lines)
        {
            var words = line.Split(' ').TakeWhile(word => Word.IsMatch(word)).ToList();
            var verb = string.Join(' ', words.Take(words[0] is "log" or "logs" or "apt" or "policy" or "nar-store" or "audit" ? 2 : 1));
            if (!helps.TryGetValue(verb, out var help))
            {
                helps[verb] = help = Cli.RunAsync([.. verb.Split(' '), "--help"]);
            }

            var known = Option.Matches((await help).Output).Select(match => match.Value).ToHashSet();
            Assert.All(Option.Matches(line), option =>
                Assert.True(known.Contains(option.Value), $"trustix-proxy {verb} has no {option.Value}, which a document names: {line}"));
        }
    }

    [Fact]
    public async Task Each_configuration_in_it_is_good_once_its_files_and_keys_are_there()
    {
        using var folder = new Folder();
        var environment = new Dictionary<string, string> { ["TRUSTIXPROXY__STATEDIRECTORY"] = folder.Path };
        var blocks = Json.Matches(Documents).Select(match => match.Groups[1].Value).ToList();

        Assert.True(blocks.Count > 5);
        foreach (var block in blocks)
        {
            var (code, _, error) = await Cli.RunAsync(["check-config", "--config", folder.File("config.json", block)], environment);
            var faults = error.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Where(line => !line.StartsWith("warning: ", StringComparison.Ordinal) && !Placeholder.IsMatch(line)).ToList();

            Assert.True(code is 0 ? faults.Count is 0 : code is 2 && faults is [var last]
                && last.EndsWith("; nothing was started.", StringComparison.Ordinal), $"{block}\n{error}");
        }
    }

    [Fact]
    public async Task A_builder_can_type_what_it_says()
    {
        using var folder = new Folder();
        var block = Consoles.Matches(Documents).Single(match => match.Value.Contains("keygen log.key", StringComparison.Ordinal)).Value;
        foreach (var line in Keygen.Matches(block).Select(match => match.Groups[1].Value))
        {
            await Command.RunAsync("sh", ["-c", $"cd '{folder.Path}' && {line}"]);
        }

        var token = (await File.ReadAllTextAsync(folder.File("token.key"))).Trim();
        Assert.True(Nix.NixSecretKey.TryParse(token, out var key, out _));
        folder.File("log.json", Braces.Match(block).Value.Replace("builder:…", key.PublicKey.ToString(), StringComparison.Ordinal));
        var good = await Command.RunAsync("sh",
            ["-c", $"cd '{folder.Path}' && TRUSTIXPROXY__STATEDIRECTORY='{folder.Path}' trustix-proxy check-config --config log.json"]);

        Assert.Equal("valid for log serve: alice.\n", good);
        var publish = Consoles.Matches(Documents)
            .Single(match => match.Value.Contains("cat /etc/trustix-publish.json", StringComparison.Ordinal)).Value;
        var config = folder.File("publish.json",
            Braces.Match(publish).Value.Replace("/etc/trustix/token.key", folder.File("token.key"), StringComparison.Ordinal));
        Assert.Equal(0, (await Cli.RunAsync(["check-config", "--config", config])).Code);
    }

    /// <summary>One after the other, in a world where the paths, files and logs that they name are there: each does what it is there for,
    /// or answers no.</summary>
    [Fact]
    public async Task Each_command_at_a_prompt_that_can_run_here_runs()
    {
        var output = TestOutput.Make("hello-2.12.1");
        await using var stage = await Stage.StartAsync();
        stage.Publish(output, "alice", "bob");
        var folder = stage.Folder;
        folder.File("message.bin", "");
        File.CreateSymbolicLink(folder.File("result"), output.Path.Absolute);
        folder.File("old.txt", "");
        folder.File("new.txt", $"{output.Path.Absolute}\n");
        // as a proxy that keeps NARs leaves it
        await Command.RunAsync("sh", ["-c", $"cd '{folder.Path}' && mkdir -p state/nars && trustix-proxy keygen state/signing.key"]);
        await LogAsync(folder);
        var lines = Typed.Matches(Documents).Select(match => match.Groups[1].Value.Trim()).Where(line => !Elsewhere.Any(line.Contains))
            .ToList();

        Assert.True(lines.Count >= 19, string.Join('\n', lines));
        foreach (var line in lines)
        {
            var isOfLog = line.StartsWith("trustix-proxy log ", StringComparison.Ordinal);
            var command = line.Replace("/nix/store/…-hello-2.12.1", output.Path.Absolute, StringComparison.Ordinal)
                .Replace("https://cache.nixos.org", $"{stage.Proxy.Upstream().Url}", StringComparison.Ordinal)
                .Replace("TEXT", "why", StringComparison.Ordinal).Replace("DIR", "export", StringComparison.Ordinal)
                .Replace("FILE", stage.Config, StringComparison.Ordinal)
                    .Replace(" config.json", $" {stage.Config}", StringComparison.Ordinal);
            // however busy the machine is
            var environment = isOfLog
                ? new Dictionary<string,
                string>
                {
                    ["TRUSTIXPROXY__STATEDIRECTORY"] = folder.File(line.Contains(" import ", StringComparison.Ordinal) ? "restored"
                : "log")
                } : new() { ["TRUSTIXPROXY__NARSTORE__MAXSIZE"] = "1GiB", ["TRUSTIXPROXY__DEADLINE"] = "00:01:00" };

            await Command.RunAsync("sh", ["-c", $"cd '{folder.Path}' && {{ {command}; [ $? -le 1 ]; }}"], environment);
        }
    }

    /// <summary>Whoever goes past the proxy must end at the cache and its key, by options that Nix takes.</summary>
    [Fact]
    public async Task The_way_back_leads_to_the_cache()
    {
        var document = Repository.Read("nix/README.md");
        var section = document[document.IndexOf("\n## Back out\n", StringComparison.Ordinal)..];
        section = section[..section.IndexOf("\n## Options", StringComparison.Ordinal)];
        var commands = BackOut.Matches(section);

        Assert.Equal(["nixos-rebuild", "nix-build"], commands.Select(command => command.Groups[1].Value));
        foreach (var options in commands.Select(command => command.Groups[2].Value))
        {
            var shown = await Command.RunAsync("sh", ["-c", $"nix='nix --extra-experimental-features nix-command'; "
                + $"$nix config show {options} 2>/dev/null || $nix show-config {options}"]);
            Assert.Contains("\nsubstituters = https://cache.nixos.org\n", shown, StringComparison.Ordinal);
            Assert.Contains($"\ntrusted-public-keys = {Configuration.CommonKeys.CacheNixosOrg}\n", shown, StringComparison.Ordinal);
        }

        Assert.Contains("`substituters = https://cache.nixos.org/`", section, StringComparison.Ordinal);
        Assert.Contains($"`trusted-public-keys = {Configuration.CommonKeys.CacheNixosOrg}`", section, StringComparison.Ordinal);
    }

    /// <summary>A log node as the documents set it up, which has run once.</summary>
    private static async Task LogAsync(Folder folder)
    {
        var block = Consoles.Matches(Documents).Single(match => match.Value.Contains("keygen log.key", StringComparison.Ordinal)).Value;
        foreach (var line in Keygen.Matches(block).Select(match => match.Groups[1].Value))
        {
            await Command.RunAsync("sh", ["-c", $"cd '{folder.Path}' && {line}"]);
        }

        folder.File("log.json", Braces.Match(block).Value.Replace(
            "builder:…", Nix.NixSecretKey.Generate("builder").PublicKey.ToString(), StringComparison.Ordinal));
        var start = Executable.Start("log", "serve", "--config", "log.json");
        start.WorkingDirectory = folder.Path;
        (start.Environment["TRUSTIXPROXY__LISTEN__0"], start.Environment["TRUSTIXPROXY__PRIVATELISTEN__0"],
            start.Environment["TRUSTIXPROXY__STATEDIRECTORY"]) = ("http://127.0.0.1:0", "http://127.0.0.1:0", folder.File("log"));
        using var node = Process.Start(start)!;
        while (await node.StandardError.ReadLineAsync() is { } line && !line.StartsWith("serving", StringComparison.Ordinal))
        {
        }

        node.Kill();
        await node.WaitForExitAsync();
    }

    /// <summary>What follows the program's name at a prompt or between backticks, up to a remark.</summary>
    [GeneratedRegex(@"(?:^[$#] |`)trustix-proxy ([a-z][^`\n#]*)", RegexOptions.Multiline)]
    private static partial Regex Commands { get; }

    [GeneratedRegex(@"^\$ (trustix-proxy [^#\n]+)", RegexOptions.Multiline)]
    private static partial Regex Typed { get; }

    [GeneratedRegex("^# (nix[a-z-]+) .*?((?: --option [^ ]+ [^ \n]+)+)$", RegexOptions.Multiline)]
    private static partial Regex BackOut { get; }

    [GeneratedRegex("^[a-z][a-z-]*$")]
    private static partial Regex Word { get; }

    [GeneratedRegex(@"(?<![\w-])--[a-z][a-z-]*")]
    private static partial Regex Option { get; }

    [GeneratedRegex("^```json\n(.+?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Json { get; }

    [GeneratedRegex("^```console\n(.+?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Consoles { get; }

    [GeneratedRegex(@"^\$ (trustix-proxy keygen [^#\n]+)", RegexOptions.Multiline)]
    private static partial Regex Keygen { get; }

    [GeneratedRegex(@"^\{.+\}$", RegexOptions.Multiline)]
    private static partial Regex Braces { get; }

    /// <summary>A fault for want of a file that is the reader's own, or of a key that stands for one.</summary>
    [GeneratedRegex(@": (?:is '/etc/trustix/[^']+', which |is 'base64 of 32 bytes'|is '…')")]
    private static partial Regex Placeholder { get; }
}
