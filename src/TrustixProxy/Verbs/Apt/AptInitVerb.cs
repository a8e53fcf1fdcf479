using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.Json;
using TrustixProxy.Apt;
using TrustixProxy.AptGate.Rebuilders;
using TrustixProxy.Setup;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Apt;

/// <summary>A configuration that <c>apt init</c> writes.</summary>
internal sealed record AptSetupJson(
    string[] Listen, string StateDirectory, AptSetupArchive[] Archives, AptSetupRebuilder[] Rebuilders, string Mode, AptSetupPolicy Policy);

/// <summary>An archive in it.</summary>
internal sealed record AptSetupArchive(string Name, string Url);

/// <summary>A rebuilder in it.</summary>
internal sealed record AptSetupRebuilder(string Name, string Url, string PublicKey);

/// <summary>The policy in it; without a quorum a majority decides.</summary>
internal sealed record AptSetupPolicy(int? Quorum);

/// <summary><c>trustix-proxy apt init</c>: writes a configuration of the gate. Keys are given, or fetched once and confirmed; none are
/// invented.</summary>
internal static class AptInitVerb
{
    private static readonly (string Name, string Url)[] DebianArchives =
        [("debian", "http://deb.debian.org/debian"), ("debian-security", "http://security.debian.org/debian-security")];

    private static readonly Option<string> Which = new("--preset")
    {
        Description = "The archives: debian for deb.debian.org and security.debian.org.",
        HelpName = "PRESET",
        DefaultValueFactory = _ => "debian",
    };

    private static readonly Option<string> Output = new("--output")
    {
        Description = "The file to write.",
        HelpName = "FILE",
        DefaultValueFactory = _ => "apt.json",
    };

    private static readonly Option<string[]> Archives = new("--archive")
    {
        Description = "An archive, or a mirror of it, in place of the preset's; may be repeated.",
        HelpName = "NAME,URL",
    };

    private static readonly Option<string[]> Rebuilders = new("--rebuilder")
    {
        Description = "A rebuilderd that votes; may be repeated. Without KEY, the key that it shows is fetched once, shown, and written "
            + "only if you confirm it.",
        HelpName = "NAME,URL[,KEY]",
    };

    private static readonly Option<int?> Quorum = new("--quorum")
    { Description = "How many operators must agree; default: a majority.", HelpName = "N" };

    private static readonly Option<bool> Enforce = new("--enforce")
    { Description = "Refuse what is not agreed on from the start; without it, disagreements are only recorded at first." };

    private static readonly Option<bool> Force = new("--force") { Description = "Overwrite an existing file." };

    public static Command Create()
    {
        var command = new Command("init", "Writes a configuration of the gate for Debian packages, and prints the lines for apt.")
        {
            Which, Output, Archives, Rebuilders, Quorum, Enforce, Force,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var (given, file) = (parsed.GetValue(Rebuilders) ?? [], Path.GetFullPath(parsed.GetValue(Output)!));
        if (FaultOf(parsed, given, file) is { } fault)
        {
            Console.Error.WriteLine(fault);
            return ExitCode.Usage;
        }

        var archives = (parsed.GetValue(Archives) ?? []).Select(text => text.Split(',', 2)).Select(parts => (parts[0], parts[1])).ToArray();
        var rebuilders = new List<AptSetupRebuilder>();
        foreach (var parts in given.Select(text => text.Split(',', 3)))
        {
            var key = parts.Length is 3 ? parts[2] : await ConfirmAsync(parts[0], parts[1], cancellation);
            if (key is null)
            {
                return ExitCode.No;
            }

            rebuilders.Add(new AptSetupRebuilder(parts[0], parts[1], key));
        }

        var setup = new AptSetupJson(["http://127.0.0.1:8092"], Configuration.CommonKeys.DefaultStateDirectory("trustix-apt"),
            [.. (archives.Length > 0 ? archives : DebianArchives).Select(archive => new AptSetupArchive(archive.Item1, archive.Item2))],
            [.. rebuilders], parsed.GetValue(Enforce) ? "enforce" : "report", new AptSetupPolicy(parsed.GetValue(Quorum)));
        return Write(setup, file);
    }

    private static int Write(AptSetupJson setup, string file)
    {
        var text = JsonSerializer.Serialize(setup, AptJson.Indented.AptSetupJson) + "\n";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, text);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"--output: '{file}' cannot be written: {exception.Message}");
            return ExitCode.Usage;
        }

        var (_, faults) = Configuration.ConfigurationFile.Read(
            file, section => Configuration.AptConfiguration.Read(section, isCheck: true));
        if (faults.Count > 0)
        {
            File.Delete(file);
            return ExitCode.Refuse(faults);
        }

        Console.WriteLine($"wrote {file}\n\nRun: trustix-proxy apt serve --config {Configuration.ShellWord.Of(file)}\n");
        Console.WriteLine("In /etc/apt/sources.list.d/debian.sources, in place of every other address:\n");
        Array.ForEach(setup.Archives, archive => Console.WriteLine($"  URIs: {setup.Listen[0]}/{archive.Name}"));
        Console.WriteLine($"\nThen: trustix-proxy apt doctor --config {Configuration.ShellWord.Of(file)}"
            + (setup.Mode is "report" ? "\nIt only reports at first. To refuse, set \"mode\" to \"enforce\"." : ""));
        return ExitCode.Good;
    }

    private static string? FaultOf(ParseResult parsed, string[] rebuilders, string file) =>
        parsed.GetValue(Which) is not "debian" and var preset ? $"--preset is '{preset}'; it must be debian."
        : rebuilders.Length is 0
            ? "--rebuilder: is given 0 times; the gate needs at least 1: --rebuilder NAME,URL[,KEY]. URL is a rebuilderd."
        : rebuilders.FirstOrDefault(text => text.Split(',').Length is not (2 or 3)) is { } bad
            ? $"--rebuilder is '{bad}'; it must be NAME,URL or NAME,URL,KEY with commas between."
        : (parsed.GetValue(Archives) ?? []).FirstOrDefault(text => text.Split(',').Length is not 2) is { } other
            ? $"--archive is '{other}'; it must be NAME,URL with a comma between."
        : File.Exists(file) && !parsed.GetValue(Force) ? $"--output: '{file}' exists; choose another name, or give --force."
        : null;

    /// <summary>Fetches the key that a rebuilder shows, and has it confirmed; null, which is told, when it is not.</summary>
    private static async Task<string?> ConfirmAsync(string name, string url, CancellationToken cancellation)
    {
        try
        {
            var source = new Uri($"{url.TrimEnd('/')}/{RebuilderClient.KeysPath}", UriKind.Absolute);
            var json = await FetchedKey.FetchTextAsync(source, cancellation);
            if (!RebuilderdReply.TryReadKeys(json, out var keys) || keys is not [var key, ..])
            {
                throw new FormatException($"'{source}' shows no key of a rebuilderd. Give the key itself.");
            }

            Console.Error.WriteLine($"{name}: {key}\n  fingerprint {key.Id}\n  source      {source}");
            Console.Error.WriteLine("Compare the fingerprint with one that the rebuilder gives elsewhere: it could be anybody's key.");
            Console.Error.Write($"Is this the key of {name}? Type yes to write it: ");
            if (await TypedLine.ReadAsync(Console.In, cancellation) is "yes")
            {
                return Configuration.AptConfiguration.KeyText(key.Bytes);
            }

            Console.Error.WriteLine($"--rebuilder: the key of '{name}' was not confirmed; nothing was written.");
        }
        catch (Exception exception) when (exception is FormatException or HttpRequestException or OperationCanceledException)
        {
            Console.Error.WriteLine($"--rebuilder: the key of '{name}': {exception.Message} Nothing was written.");
        }

        return null;
    }
}
