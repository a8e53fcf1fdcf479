using System.CommandLine;
using System.Diagnostics;
using System.Text.RegularExpressions;
using TrustixProxy.IO.Programs;
using TrustixProxy.Testing;
using TrustixProxy.Verbs;

namespace TrustixProxy.Tests.Packaging;

/// <summary>Completions and man page, which are made of the verbs, as the shells and the man programs themselves read them.</summary>
public sealed partial class PageTests
{
    private static readonly RootCommand Root = CommandLine.Create();

    [Fact]
    public async Task Bash_completes_every_verb_and_every_option()
    {
        using var folder = new Folder();
        var script = folder.File("completion", (await Cli.RunAsync(["completions", "bash"])).Output);
        var program = $"source '{script}'\ncomplete_at() {{ COMP_WORDS=(trustix-proxy \"$@\"); COMP_CWORD=$#; COMPREPLY=(); _trustix_proxy "
            + "2>/dev/null; printf '%s\\n' \"$* = ${COMPREPLY[*]}\"; }\n"
            + string.Concat(ShellCompletions.Verbs(Root).SelectMany(verb => new[] { "''", "--" }
                .Select(word => $"complete_at {verb.Name} {word}\n")));

        var lines = await TypeAsync("bash", folder.File("type", program));

        foreach (var (name, verb) in ShellCompletions.Verbs(Root))
        {
            var options = ShellCompletions.Options(verb).Select(option => option.Name).Append("--help").ToList();
            Assert.Equal(Sorted(options), Sorted(Said(lines, $"{name} --".Trim())));
            Assert.Equal(Sorted(verb.Subcommands.Select(inner => inner.Name).Concat(options)), Sorted(Said(lines, name)));
        }
    }

    [Fact]
    public async Task Bash_completes_a_part_of_a_word_and_files_after_an_option()
    {
        using var folder = new Folder();
        folder.File("proxy.json", "");
        folder.File("my proxy.json", "");
        var script = folder.File("completion", (await Cli.RunAsync(["completions", "bash"])).Output);
        var lines = await TypeAsync("bash", folder.File("type", $$"""
            cd '{{folder.Path}}'; source '{{script}}'
            complete_at() { COMP_WORDS=(trustix-proxy "$@"); COMP_CWORD=$#; COMPREPLY=(); _trustix_proxy 2>/dev/null; echo "$* = ${COMPREPLY[*]}"; }
            complete_at che
            complete_at log sub
            complete_at serve --config pro
            complete_at log serve -c pro
            complete_at verify pro
            complete_at serve --config my
            echo ${#COMPREPLY[@]}
            """));

        Assert.Equal(["che = check-config", "log sub = submit submit-closure", "serve --config pro = proxy.json",
            "log serve -c pro = proxy.json", "verify pro = proxy.json",
            "serve --config my = my proxy.json", "1"], lines);
    }

    [ProgramFact("zsh")]
    public async Task Zsh_takes_the_script_and_offers_verbs_and_options()
    {
        using var folder = new Folder();
        var script = folder.File("_trustix-proxy", (await Cli.RunAsync(["completions", "zsh"])).Output);
        var lines = await TypeAsync("zsh", folder.File("type", $$"""
            compdef() { :; }
            _files() { print -r -- files; }
            _describe() { print -r -- "${(@)${(P)@[-1]}%%:*}"; }
            source '{{script}}'
            words=(trustix-proxy ''); CURRENT=2; _trustix_proxy
            words=(trustix-proxy log ''); CURRENT=3; _trustix_proxy
            words=(trustix-proxy log serve --config ''); CURRENT=5; _trustix_proxy
            """));

        Assert.Equal(Sorted(Root.Subcommands.Select(verb => verb.Name).Append("--help")), Sorted(lines[0].Split(' ')));
        Assert.Equal(Sorted(Root.Subcommands.Single(verb => verb.Name is "log").Subcommands.Select(verb => verb.Name).Append("--help")),
            Sorted(lines[1].Split(' ')));
        Assert.Equal("files", lines[2]);
    }

    [ProgramFact("fish")]
    public async Task Fish_completes_every_verb_and_every_option()
    {
        using var folder = new Folder();
        var script = folder.File("trustix-proxy.fish", (await Cli.RunAsync(["completions", "fish"])).Output);
        var verbs = ShellCompletions.Verbs(Root).ToList();
        var program = $"source '{script}'\n" + string.Concat(verbs.SelectMany(verb => new[] { "", "--" }.Select(word =>
            $"echo '{verb.Name} {word} =' (complete -C 'trustix-proxy {verb.Name} {word}' | string split -f1 \\t)\n")));

        var lines = (await TypeAsync("fish", folder.File("type", program))).Select(line => Blanks.Replace(line, " ").Trim()).ToList();

        foreach (var (name, verb) in verbs)
        {
            var options = ShellCompletions.Options(verb).Select(option => option.Name).Append("--help").ToHashSet();
            Assert.Superset(options, Said(lines, $"{name} --".Trim()).ToHashSet());
            Assert.Superset(verb.Subcommands.Select(inner => inner.Name).ToHashSet(), Said(lines, name).ToHashSet());
        }
    }

    [Fact]
    public async Task An_unknown_shell_is_refused()
    {
        var (code, _, error) = await Cli.RunAsync(["completions", "tcsh"]);

        Assert.Equal((2, "SHELL is 'tcsh'; it must be bash, zsh, fish.\n"), (code, error));
    }

    [Fact]
    public async Task The_man_page_has_every_verb_with_every_option()
    {
        var page = (await Cli.RunAsync(["man"])).Output.Replace("\\-", "-", StringComparison.Ordinal);

        Assert.StartsWith(".TH TRUSTIX-PROXY 1 ", page, StringComparison.Ordinal);
        foreach (var (name, verb) in ShellCompletions.Verbs(Root).Where(verb => verb.Name.Length > 0))
        {
            var section = Regex.Match(page, $"""^\.SS "trustix-proxy {name}(?: [A-Z][^"]*)?"\n(.+?)(?=^\.S[SH])""",
                RegexOptions.Multiline | RegexOptions.Singleline);
            Assert.True(section.Success, name);
            Assert.All(ShellCompletions.Options(verb), option =>
                Assert.Contains($"\n.B {option.Name}", section.Value, StringComparison.Ordinal));
            Assert.Contains($"  trustix-proxy {name}", section.Value, StringComparison.Ordinal);
        }
    }

    [ProgramFact("groff")]
    public async Task Groff_finds_nothing_wrong_with_the_man_page()
    {
        using var folder = new Folder();
        var page = folder.File("trustix-proxy.1", (await Cli.RunAsync(["man"])).Output);

        Assert.Equal([], await TypeAsync("groff", "-man", "-Tutf8", "-ww", "-z", page));
    }

    [ProgramFact("mandoc")]
    public async Task Mandoc_finds_no_more_than_the_missing_date()
    {
        using var folder = new Folder();
        var page = folder.File("trustix-proxy.1", (await Cli.RunAsync(["man"])).Output);

        var lines = await TypeAsync("mandoc", "-Tlint", "-Wwarning", page);

        Assert.All(lines, line => Assert.Contains("missing date", line, StringComparison.Ordinal));
    }

    private static string[] Said(IReadOnlyList<string> lines, string typed) =>
        lines.Single(line => line.Split('=')[0].Trim() == typed).Split('=', 2)[1].Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static IEnumerable<string> Sorted(IEnumerable<string> words) => words.Order(StringComparer.Ordinal);

    /// <returns>What it prints on both outputs, line by line.</returns>
    private static async Task<IReadOnlyList<string>> TypeAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (await output + await error).Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    [GeneratedRegex(" +")]
    private static partial Regex Blanks { get; }
}

/// <summary>A test that needs a program, skipped where it is missing.</summary>
public sealed class ProgramFactAttribute : FactAttribute
{
    public ProgramFactAttribute(string program)
    {
        if (ProgramStart.Find(program, Environment.GetEnvironmentVariable("PATH")) is null)
        {
            Skip = $"{program} is missing (a Debian package; groff is in groff-base).";
        }
    }
}
