using System.Text.Json;
using System.Text.RegularExpressions;

namespace TrustixProxy.Tests.Packaging;

/// <summary>What the documents name exists, and what exists is in the documents.</summary>
public sealed partial class ReadmeTests
{
    private static readonly string Documents = Repository.DocumentsText;

    private const string KeyTables = "src/TrustixProxy/Configuration/README.md";

    [Fact]
    public async Task All_keys_stand_in_it_with_type_default_and_range()
    {
        var (code, keys, error) = await Cli.RunAsync(["check-config", "--keys"]);

        Assert.True(code is 0, error);
        var tables = keys.Trim().Split("\n\n");
        Assert.Equal(5, tables.Length);
        Assert.All(tables, table => Assert.True(Documents.Contains(table, StringComparison.Ordinal),
            $"{KeyTables} does not have a table that trustix-proxy check-config --keys prints; put it there:\n{table}"));
    }

    [Fact]
    public async Task Configurations_in_it_have_only_keys_that_exist()
    {
        var known = Row.Matches((await Cli.RunAsync(["check-config", "--keys"])).Output).Select(match => match.Groups[1].Value).ToHashSet();
        var named = JsonBlock.Matches(Documents).SelectMany(block => Paths(JsonDocument.Parse(block.Groups[1].Value).RootElement, ""))
            .ToList();

        Assert.NotEmpty(named);
        Assert.All(named, path => Assert.True(known.Contains(path), path));
    }

    [Fact]
    public async Task All_options_of_the_modules_stand_in_it_and_no_others()
    {
        var rows = (await Command.EvaluateAsync("stub.table ours")).EnumerateArray().Select(row => row.GetString()!).ToList();
        var known = rows.Select(row => row.Split('`')[1]).ToList();

        Assert.True(Documents.Contains(string.Join('\n', rows), StringComparison.Ordinal),
            "nix/README.md does not have the table of the modules' options:\n" + string.Join('\n', rows));
        Assert.All(
            ModuleOption.Matches(Documents).Select(match => match.Value), named =>
            Assert.Contains(known, option => option == named || option.StartsWith(named + ".", StringComparison.Ordinal)
            || named.StartsWith("services.trustix-proxy.settings.", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Modules_in_it_make_machines_whose_configurations_are_good()
    {
        var blocks = NixBlock.Matches(Documents).Select(match => match.Groups[1].Value).ToList();

        Assert.NotEmpty(blocks);
        foreach (var block in blocks)
        {
            // a whole flake, or what stands in a module
            var modules = block.Contains("outputs =", StringComparison.Ordinal) ? FlakeModules(block) : $"[ {{ {block} }} ]";
            var machine = await Command.EvaluateAsync($"stub.machine (ours ++ {modules})");
            Assert.Empty(machine.GetProperty("failed").EnumerateArray());
            foreach (var unit in machine.GetProperty("systemd").GetProperty("services").EnumerateObject()
                .Where(unit => unit.Value.GetProperty("serviceConfig").TryGetProperty("ExecStart", out _)))
            {
                using var folder = new Folder();
                await new Unit(machine, unit.Name).BuildAsync(folder);
            }
        }
    }

    [Fact]
    public async Task All_verbs_stand_in_it_and_no_others()
    {
        var verbs = new List<string>();
        foreach (var verb in await VerbsAsync([]))
        {
            var inner = await VerbsAsync([verb]);
            verbs.AddRange(inner.Count is 0 ? [verb] : inner.Select(word => $"{verb} {word}"));
            verbs.AddRange(verb is "logs" or "audit" ? [verb] : []); // these do something by themselves, too
        }

        var named = Code.Matches(Documents).SelectMany(code => Verb.Matches(code.Value))
            .Select(match => (First: match.Groups[1].Value, Both: match.Value["trustix-proxy ".Length..]))
            .Select(words => verbs.Contains(words.Both) ? words.Both : words.First).ToHashSet();

        Assert.All(verbs, verb => Assert.True(named.Contains(verb), $"no document names trustix-proxy {verb}"));
        Assert.All(named, verb => Assert.True(verbs.Contains(verb), $"a document names trustix-proxy {verb}, which is no verb"));
    }

    /// <summary>The modules that a flake of a user gives to nixosSystem, without files and without ours, which it must name.</summary>
    private static string FlakeModules(string flake) => $$"""
        (let
          flake = {{flake}};
          ours = { isOurs = true; };
          systems = (flake.outputs {
            nixpkgs.lib.nixosSystem = system: system;
            trustix-proxy.nixosModules.default = ours;
          }).nixosConfigurations;
          modules = builtins.filter builtins.isAttrs (builtins.head (builtins.attrValues systems)).modules;
        in
          assert flake.inputs ? trustix-proxy && builtins.elem ours modules;
          builtins.filter (module: module != ours) modules)
        """;

    private static async Task<IReadOnlyList<string>> VerbsAsync(string[] path)
    {
        var help = (await Cli.RunAsync([.. path, "--help"])).Output;
        var commands = help.IndexOf("\nCommands:\n", StringComparison.Ordinal);
        return commands < 0 ? [] : [.. Listed.Matches(help[commands..]).Select(match => match.Groups[1].Value)];
    }

    private static IEnumerable<string> Paths(JsonElement element, string path) => element.ValueKind switch
    {
        // free names
        JsonValueKind.Object when path is "policy.distinct" || path.EndsWith(".tags", StringComparison.Ordinal) => [path],
        JsonValueKind.Object =>
            element.EnumerateObject().SelectMany(member => Paths(member.Value, path.Length is 0 ? member.Name : $"{path}.{member.Name}")),
        // groups in groups
        JsonValueKind.Array when path.EndsWith(".of", StringComparison.Ordinal) =>
            element.EnumerateArray().SelectMany(item => Paths(item, item.ValueKind is JsonValueKind.Object ? path[..^3] : path)),
        JsonValueKind.Array when element.EnumerateArray().Any(item => item.ValueKind is JsonValueKind.Object) =>
            element.EnumerateArray().SelectMany(item => Paths(item, $"{path}[]")),
        _ => [path],
    };

    [GeneratedRegex(@"^\| `([\w.\[\]]+)` \|", RegexOptions.Multiline)]
    private static partial Regex Row { get; }

    [GeneratedRegex("^```json\n(.+?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex JsonBlock { get; }

    [GeneratedRegex("^```nix\n(.+?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex NixBlock { get; }

    [GeneratedRegex(@"services\.trustix-[a-z]+(?:\.[A-Za-z<>]+)*")]
    private static partial Regex ModuleOption { get; }

    /// <summary>A block, or a text in a line.</summary>
    [GeneratedRegex("^```.+?^```|`[^`\n]+`", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Code { get; }

    [GeneratedRegex(@"(?<![\w./-])trustix-proxy ([a-z]+(?:-[a-z]+)*)(?: [a-z]+(?:-[a-z]+)*)?(?![\w=-])")]
    private static partial Regex Verb { get; }

    [GeneratedRegex(@"^  ([a-z-]+)", RegexOptions.Multiline)]
    private static partial Regex Listed { get; }
}
