namespace TrustixProxy.Clients;

/// <summary>One version of real Nix: this machine's own, or one in a root file system of another Debian release.</summary>
/// <param name="Version">The version that the suite asks for, such as <c>2.26</c>.</param>
/// <param name="Folder">Its root file system; <c>host</c> for this machine's own Nix.</param>
public sealed record NixClient(string Version, string Folder)
{
    /// <summary>The versions that the suite drives, and the Debian releases that have them, best first.</summary>
    public static readonly (string Version, string[] Releases)[] Wanted = [
        ("2.8", ["bookworm"]), ("2.26", ["trixie"]), ("2.34", ["forky", "sid"])];

    internal static readonly string Script = Path.Combine(AppContext.BaseDirectory, "folders");

    private static readonly Dictionary<string, string> Folders = Shell.RunAsync(Script, ["list"]).GetAwaiter().GetResult().OrThrow().Output
        .Split('\n', StringSplitOptions.RemoveEmptyEntries)
        .Select(line => line.Split(' ', 2))
        .ToDictionary(words => words[0], words => words[1]);

    /// <summary>The root file system that has moto; null without one.</summary>
    public static string? S3Folder { get; } = Folders.GetValueOrDefault("s3");

    /// <summary>The clients that this machine has.</summary>
    public static IReadOnlyList<NixClient> AtHand { get; } = Find();

    /// <summary>The client of this version.</summary>
    public static NixClient Of(string version) => AtHand.Single(client => client.Version == version);

    /// <summary>Runs a command of this Nix in a mount namespace of its own.</summary>
    /// <param name="lab">A folder that keeps its path inside.</param>
    /// <param name="store">The folder that is <c>/nix</c> inside.</param>
    /// <param name="environment">Environment variables.</param>
    /// <param name="command">The command and its arguments.</param>
    /// <param name="seconds">How long it may take.</param>
    internal Task<Result> RunAsync(
        string lab, string store, IReadOnlyDictionary<string, string> environment, IEnumerable<string> command, int seconds = 120) =>
        Shell.RunAsync(Script, ["enter", Folder, lab, store, .. command], environment, seconds);

    private static List<NixClient> Find() =>
    [
        .. from wanted in Wanted
           let release = wanted.Releases.FirstOrDefault(Folders.ContainsKey)
           where release is not null
           select new NixClient(wanted.Version, Folders[release]),
    ];
}
