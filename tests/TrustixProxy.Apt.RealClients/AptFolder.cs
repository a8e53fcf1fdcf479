namespace TrustixProxy.Apt.RealClients;

/// <summary>The root file system that has sid's apt, rebuilderd and repro-threshold.</summary>
internal static class AptFolder
{
    /// <summary>What stands for this machine's own programs.</summary>
    public const string Host = "host";

    /// <summary>The script that makes and enters it.</summary>
    public static readonly string Script = Path.Combine(AppContext.BaseDirectory, "folder");

    /// <summary>The folder; null when it is not at hand.</summary>
    public static string? AtHand { get; } = Find();

    /// <summary>Why a test is skipped; null when it is not.</summary>
    public static string? Missing => AtHand is null ? "The folder is missing: run tests/Apt/folder make as root." : null;

    /// <summary>Each apt that is at hand: that of the folder, and this machine's own where it has one.</summary>
    public static IEnumerable<string> Apts => File.Exists("/usr/bin/apt-get") ? [AtHand ?? "", Host] : [AtHand ?? ""];

    /// <summary>Runs a command in the folder.</summary>
    /// <param name="lab">Keeps its path inside.</param>
    /// <param name="command">The command.</param>
    public static Task<Result> RunAsync(string lab, params IEnumerable<string> command) =>
        Shell.RunAsync(Script, Enter(AtHand!, lab, command));

    /// <summary>The script's arguments that run a command in a folder.</summary>
    public static string[] Enter(string folder, string lab, IEnumerable<string> command) => ["enter", folder, lab, .. command];

    private static string? Find() =>
        Shell.RunAsync(Script, ["list"]).GetAwaiter().GetResult().OrThrow().Output.Trim() is { Length: > 0 } folder ? folder : null;
}
