using System.CommandLine;
using System.CommandLine.Parsing;
using TrustixProxy.Setup;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Manage;

/// <summary><c>trustix-proxy init</c>: writes a working configuration with keys for a preset, and prints what Nix has to be told.</summary>
internal static class InitVerb
{
    private static readonly Option<Preset?> Which = new("--preset")
    {
        Description =
        $"Purpose of this machine; without it, init asks.\n{Questions.Presets}",
        HelpName = "PRESET",
        CustomParser = ReadPreset
    };
    private static readonly Option<string> Place = new(
        "--directory")
    { Description = "Directory for the files.", HelpName = "DIR", DefaultValueFactory = _ => DefaultDirectory() };
    private static readonly Option<Voter[]> Logs = new(
        "--log")
    {
        Description = "A log that votes; may be repeated. The init of a builder prints this line.",
        HelpName = "NAME,URL,PUBLICKEY",
        CustomParser = result => [.. result.Tokens.Select(token => ReadVoter(result, token.Value)).OfType<Voter>()]
    };
    private static readonly Option<Voter> Cache = new(
        "--cache")
    {
        Description = "Cache to fetch NARs from.",
        HelpName = "NAME,URL,KEY",
        DefaultValueFactory = _ =>
        Voter.CacheNixosOrg,
        CustomParser = result => ReadVoter(result, result.Tokens[0].Value)
    };
    private static readonly Option<int?> Quorum = new(
        "--quorum")
    { Description = "How many operators must agree; default: a majority.", HelpName = "N" };
    private static readonly Option<string> Name = new("--name")
    {
        Description = "builder: name of the log.",
        HelpName = "NAME",
        DefaultValueFactory = _ => Environment.MachineName.ToLowerInvariant()
    };
    private static readonly Option<string?> Url = new(
        "--url")
    { Description = "builder, organisation: address at which others reach this machine.", HelpName = "URL" };
    private static readonly Option<bool> Force = new(
        "--force")
    { Description = "Overwrite existing configurations; keys are never overwritten." };

    public static Command Create()
    {
        var command = new Command("init", "Writes a working configuration with keys and prints the lines for nix.conf or NixOS.") { Which,
            Place, Logs, Cache, Quorum, Name, Url, Force };
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult parsed)
    {
        var questions = new Questions(Console.In, Console.Error);
        var asks = parsed.GetValue(Which) is null;
        if ((parsed.GetValue(Which) ?? questions.Preset()) is not { } preset)
        {
            Console.Error.WriteLine("--preset: is missing, and standard input is closed. Choose one: watch, home, organisation or "
                + "builder.");
            return ExitCode.Usage;
        }

        var (name, logs) = (parsed.GetValue(Name)!, (IReadOnlyList<Voter>)(parsed.GetValue(Logs) ?? []));
        var answers = new SetupAnswers
        {
            Preset = preset,
            Directory = Path.GetFullPath(parsed.GetValue(Place)!),
            Logs = asks && preset is not Preset.Builder && logs.Count is 0 ? questions.Logs() : logs,
            Cache = parsed.GetValue(Cache)!,
            Quorum = parsed.GetValue(Quorum),
            Name = asks && preset is Preset.Builder ? questions.Text("Name of the log", name) : name,
            Url = parsed.GetValue(Url),
        };
        var needed = preset switch { Preset.Home => 2, Preset.Organisation => 1, _ => 0 };
        if (answers.Logs.Count < needed)
        {
            Console.Error.WriteLine($"--log: is given {answers.Logs.Count} times; the preset needs at least {needed}: --log "
                + $"NAME,URL,PUBLICKEY. A log's operator publishes all three; the preset watch needs no log.");
            return ExitCode.Usage;
        }

        return Write(answers, parsed.GetValue(Force));
    }

    private static int Write(SetupAnswers answers, bool overwrite)
    {
        var files = new PresetFiles(answers);
        try
        {
            var faults = files.Write(overwrite);
            if (faults.Count > 0)
            {
                return ExitCode.Refuse(faults);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            Console.Error.WriteLine($"--directory: {exception.Message}");
            return ExitCode.Usage;
        }

        foreach (var file in files.Configurations)
        {
            Console.WriteLine($"wrote {file}");
        }

        Console.WriteLine(files.OwnLog is { } log ? NextSteps.OfBuilder(files, log) : NextSteps.OfProxy(answers, files));
        return ExitCode.Good;
    }

    private static string DefaultDirectory() =>
        Environment.IsPrivilegedProcess ? "/etc/trustix-proxy"
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".config", "trustix-proxy");

    private static Preset? ReadPreset(ArgumentResult result)
    {
        if (PresetNames.TryParse(result.Tokens[0].Value, out var preset))
        {
            return preset;
        }

        result.AddError($"--preset is '{result.Tokens[0].Value}'; it must be watch, home, organisation or builder.");
        return null;
    }

    private static Voter? ReadVoter(ArgumentResult result, string text)
    {
        if (!Voter.TryParse(text, out var voter))
        {
            result.AddError($"'{text}' is not NAME,URL,KEY, three texts with commas between.");
        }

        return voter;
    }
}
