using System.Text.RegularExpressions;

namespace TrustixProxy.Tests;

/// <summary>What the documents tell people to write is what the program reads.</summary>
public sealed partial class ReadmeTests
{
    [Theory]
    [InlineData("Watch", "valid for serve: 1 of 1 operators must agree", "warning: policy.dissent: under \"veto\"")]
    [InlineData("Home", "valid for serve: 2 of 3 operators must agree", "")]
    [InlineData("Organisation", "valid for serve: 2 of (farm, 1 of (berlin, osaka)) operators must agree",
        "warning: policy.scopes 'linux-*'.dissent")]
    [InlineData("High security", "valid for serve: 3 of 4 operators must agree", "warning: policy.dissent: under \"veto\"")]
    public async Task Each_policy_to_begin_with_is_good_and_its_weakness_is_said(string name, string expected, string warning)
    {
        using var folder = new Folder();
        var page = Repository.Read("src/TrustixProxy/Configuration/README.md");
        var json = Block().Matches(page).Single(block => block.Groups["name"].Value == name).Groups["json"].Value;

        var (code, output, error) = await Cli.RunAsync(
            ["check-config", "--config", folder.File("config.json", json)], new() { ["TRUSTIXPROXY__STATEDIRECTORY"] = folder.Path });

        Assert.True(code is 0, error);
        Assert.StartsWith(expected, output, StringComparison.Ordinal);
        Assert.StartsWith(warning, error, StringComparison.Ordinal);
        Assert.True(warning.Length > 0 || error.Length is 0, error);
    }

    /// <summary>A name in bold at the start of a line, and the JSON that follows it.</summary>
    [GeneratedRegex(@"^\*\*(?<name>[A-Z][a-z ]+)\.\*\*(?:(?!^```)[\s\S])*?^```json\n(?<json>[\s\S]*?)^```$", RegexOptions.Multiline)]
    private static partial Regex Block();
}
