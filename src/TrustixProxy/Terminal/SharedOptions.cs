using System.CommandLine;
using System.CommandLine.Parsing;

namespace TrustixProxy.Terminal;

/// <summary>Options that several verbs have.</summary>
internal static class SharedOptions
{
    /// <summary>The configuration file.</summary>
    public static Option<string?> Config { get; } = new("--config", "-c")
    {
        Description = "JSON configuration file. Environment variables TRUSTIXPROXY__KEY override it.",
        HelpName = "FILE",
    };

    /// <summary>Refuses an empty text, as an unset variable of a shell makes one.</summary>
    public static Action<OptionResult> IsNamed { get; } = result =>
    {
        if (result.Tokens.Any(token => token.Value.Length is 0))
        {
            result.AddError($"{result.Option.Name} is '', which names nothing. Give a path.");
        }
    };

    /// <summary>Prints JSON in place of text.</summary>
    public static Option<bool> Json { get; } = new("--json") { Description = "Print JSON, for other programs." };
}
