using System.CommandLine;
using TrustixProxy.Verbs;

namespace TrustixProxy.Tests;

/// <summary>Every verb says how it is used, and its exit code says what went wrong.</summary>
public sealed class CommandLineTests
{
    public static TheoryData<string> Verbs => [.. Paths(CommandLine.Create(), "")];

    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task Help_of_every_verb_is_printed_to_standard_output_and_is_a_success(string verb)
    {
        foreach (var help in new[] { "--help", "-h", "-?" })
        {
            var (code, output, error) = await Cli.RunAsync([.. verb.Split(' ', StringSplitOptions.RemoveEmptyEntries), help]);

            Assert.Equal((0, ""), (code, error));
            Assert.Contains("Usage:", output, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task An_option_that_no_verb_has_is_a_fault_of_usage(string verb)
    {
        var (code, _, error) = await Cli.RunAsync([.. verb.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--no-such-option"]);

        Assert.Equal(verb is "hook" ? 0 : 2, code); // a hook never fails a build
        Assert.NotEmpty(error);
    }

    [Theory]
    [InlineData("keygen --nmae x")]
    [InlineData("nosuchverb --help")]
    [InlineData("log nosuchverb --help")]
    [InlineData("log")]
    [InlineData("")]
    [InlineData("explain")]
    [InlineData("serve --config")]
    public async Task What_is_no_verb_or_lacks_something_is_a_fault_of_usage(string arguments) =>
        Assert.Equal(2, (await Cli.RunAsync(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries))).Code);

    private static IEnumerable<string> Paths(Command command, string path) =>
        command.Subcommands.SelectMany(verb => Paths(verb, $"{path} {verb.Name}".Trim())).Prepend(path);
}
