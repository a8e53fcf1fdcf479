using System.CommandLine;

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

    /// <summary>Prints JSON in place of text.</summary>
    public static Option<bool> Json { get; } = new("--json") { Description = "Print JSON, for other programs." };
}
