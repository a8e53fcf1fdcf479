using System.CommandLine;
using System.CommandLine.Parsing;
using TrustixProxy.Configuration;
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
    private static readonly Option<string> Place = new("--directory")
    {
        Description = "Directory for the files.",
        HelpName = "DIR",
        DefaultValueFactory = _ => DefaultDirectory(),
        Validators = { SharedOptions.IsNamed },
    };
    private static readonly Option<Voter[]> Logs = new("--log")
    {
        Description = "A log that votes; may be repeated. The init of a builder prints this line.",
        HelpName = "NAME,URL,PUBLICKEY",
        CustomParser = result => [.. result.Tokens.Select(token => ReadVoter(result, token.Value)).OfType<Voter>()]
    };
    private static readonly Option<Voter[]> Rebuilders = new("--rebuilder")
    {
        Description = "second-voice: a rebuilder on a lila server; may be repeated. KEY is its public key, or the https address of a "
            + "text with it: that key is fetched once, shown, and written only if you confirm it.",
        HelpName = "NAME,URL,KEY",
        CustomParser = result => [.. result.Tokens.Select(token => ReadVoter(result, token.Value)).OfType<Voter>()]
    };
    private static readonly Option<Voter> Cache = new("--cache")
    {
        Description = "Cache to fetch NARs from.",
        HelpName = "NAME,URL,KEY",
        DefaultValueFactory = _ =>
        Voter.CacheNixosOrg,
        CustomParser = result => ReadVoter(result, result.Tokens[0].Value)
    };
    private static readonly Option<int?> Quorum = new(
        "--quorum")
    { Description = "How many operators must agree, for second-voice how many rebuilders; default: a majority.", HelpName = "N" };
    private static readonly Option<string> Name = new("--name")
    {
        Description = "builder: name of the log.",
        HelpName = "NAME",
        DefaultValueFactory = _ => HostName.Own
    };
    private static readonly Option<string?> Url = new(
        "--url")
    { Description = "builder, organisation: address at which others reach this machine.", HelpName = "URL" };
    private static readonly Option<bool> Report = new(
        "--report")
    { Description = "farms: only report disagreements at first, and serve what the farm ci has signed." };
    private static readonly Option<int?> Port = new("--port")
    {
        Description = $"Port for clients, or for readers of a builder's log. Default: {Ports.Proxy} ({Ports.Log} for a builder); where "
            + "only this machine asks, the next free one.",
        HelpName = "PORT",
        Validators =
        {
            result =>
            {
                if (result.GetValueOrDefault<int?>() is < 1 or > 65_535)
                {
                    result.AddError($"--port is '{result.Tokens[0].Value}'; it must be from 1 to 65535, and from 1024 on for a service.");
                }
            },
        },
    };
    private static readonly Option<bool> Offline = new(
        "--offline")
    { Description = "Contact nobody: do not try what was written." };
    private static readonly Option<bool> Force = new(
        "--force")
    { Description = "Overwrite existing configurations; keys are never overwritten." };

    public static Command Create()
    {
        var command = new Command("init", "Writes a working configuration with keys and prints the lines for nix.conf or NixOS.") { Which,
            Place, Logs, Rebuilders, Cache, Quorum, Name, Url, Port, Report, Offline, Force };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var questions = new Questions(Console.In, Console.Error, cancellation);
        var asks = parsed.GetValue(Which) is null;
        var machine = await Machine.LookAsync("/", cancellation);
        foreach (var sentence in machine.Sentences())
        {
            await Console.Error.WriteLineAsync(sentence);
        }

        if ((parsed.GetValue(Which) ?? await questions.PresetAsync(machine.Proposal)) is not { } preset)
        {
            Console.Error.WriteLine($"--preset: is missing, and standard input is closed. Choose one: {PresetNames.All}.");
            return ExitCode.Usage;
        }

        var answers = await AnswersAsync(parsed, preset, asks, questions);
        if (FaultOf(answers) is { } fault)
        {
            Console.Error.WriteLine(fault);
            return ExitCode.Usage;
        }

        if (await ConfirmAsync(answers, questions, cancellation) is not { } confirmed)
        {
            return ExitCode.No;
        }

        var files = new PresetFiles(confirmed);
        var code = Write(confirmed, files, parsed.GetValue(Force));
        if (code is ExitCode.Good && preset is not Preset.Builder && !parsed.GetValue(Offline))
        {
            await FirstLook.RunAsync(files.Proxy, Console.Error, cancellation);
        }

        return code;
    }

    private static async Task<SetupAnswers> AnswersAsync(ParseResult parsed, Preset preset, bool asks, Questions questions)
    {
        var (name, logs) = (parsed.GetValue(Name)!, (IReadOnlyList<Voter>)(parsed.GetValue(Logs) ?? []));
        var asksForLogs = asks && preset is not (Preset.Builder or Preset.SecondVoice or Preset.Sources or Preset.Farms) && logs.Count is 0;
        var directory = Path.GetFullPath(parsed.GetValue(Place)!);
        var (port, operations) = ChoosePorts(parsed, preset, directory);
        return new SetupAnswers
        {
            Preset = preset,
            Directory = directory,
            Logs = asksForLogs ? await questions.LogsAsync() : logs,
            Rebuilders = parsed.GetValue(Rebuilders) is { Length: > 0 } named ? named
                : asks && preset is Preset.SecondVoice ? await questions.RebuildersAsync() : [],
            Cache = parsed.GetValue(Cache)!,
            Quorum = parsed.GetValue(Quorum),
            Reports = parsed.GetValue(Report),
            Name = asks && preset is Preset.Builder ? await questions.TextAsync("Name of the log", name) : name,
            Url = parsed.GetValue(Url),
            Port = port,
            OperationsPort = operations,
        };
    }

    /// <summary>Ports that are free, where only this machine asks; a port that others know, or that somebody chose, stays. One that is
    /// taken is told of.</summary>
    private static (int Port, int Operations) ChoosePorts(ParseResult parsed, Preset preset, string directory)
    {
        if (Ports.Kept(Path.Combine(directory, preset is Preset.Builder ? "trustix-log.json" : "trustix-proxy.json")) is { } kept)
        {
            return (parsed.GetValue(Port) ?? kept.Port, kept.Operations); // who listens there may be what was set up before
        }

        var wanted = parsed.GetValue(Port) ?? (preset is Preset.Builder ? Ports.Log : Ports.Proxy);
        var isFixed = parsed.GetValue(Port) is not null || preset is Preset.Builder or Preset.Organisation;
        var port = isFixed ? wanted : Ports.FreeFrom(wanted, Ports.Operations);
        var operations = preset is Preset.Builder ? Ports.Operations : Ports.FreeFrom(Ports.Operations, port);
        Tell(wanted, port);
        if (port is Ports.Operations)
        {
            Console.Error.WriteLine($"port {port} is for clients; the dashboard gets port {operations}");
        }
        else if (preset is not Preset.Builder)
        {
            Tell(Ports.Operations, operations);
        }

        return (port, operations);

        static void Tell(int wanted, int chosen) => Console.Error.WriteLine(Ports.IsFree(wanted) ? $"port {wanted} is free"
            : chosen == wanted ? $"port {wanted} is taken by another program: stop that, or choose another with --port"
            : $"port {wanted} is taken by another program; {chosen} is free, and is written");
    }

    /// <summary>What the preset does not go with; null if the answers fit.</summary>
    private static string? FaultOf(SetupAnswers answers)
    {
        var preset = answers.Preset;
        var needed = preset switch { Preset.Home => 2, Preset.Organisation => 1, _ => 0 };
        return FaultOfUrl(answers) ?? (answers.Logs.Count < needed
            ? $"--log: is given {answers.Logs.Count} times; the preset needs at least {needed}: --log "
                + "NAME,URL,PUBLICKEY. A log's operator publishes all three; the preset watch needs no log."
            : preset is Preset.Sources && answers.Logs.Count > 0
            ? "--log: is given, and the preset sources asks nobody. Remove it, or choose watch."
            : preset is not Preset.Farms && answers.Reports
            ? "--report: is given, and only the preset farms begins so. Remove it; second-voice reports at first without it."
            : preset is not Preset.SecondVoice && answers.Rebuilders.Count > 0
            ? "--rebuilder: is given, and only the preset second-voice asks rebuilders. Remove it, or choose that preset."
            : preset is Preset.SecondVoice && answers.Rebuilders.Count is 0
            ? "--rebuilder: is given 0 times; the preset second-voice needs at least 1: --rebuilder NAME,URL,KEY. URL is a lila server, "
                + "and KEY the rebuilder's own key as name:base64."
            : null);
    }

    /// <summary>What others are told has to lead here: they read it long after.</summary>
    private static string? FaultOfUrl(SetupAnswers answers)
    {
        if (answers.Url is { } url)
        {
            return ServiceUrl.FaultOf(url, UrlForms.Web, out _, out _) is { } fault ? $"--url: {fault}"
                : url.Contains(',', StringComparison.Ordinal)
                    ? $"--url: is '{url}', with a comma, which parts NAME,URL,PUBLICKEY. Give another address." : null;
        }

        return answers.Preset is Preset.Builder or Preset.Organisation && !HostName.IsAddress
            ? $"--url: is missing, and this machine's name, '{Environment.MachineName}', is no address for others: "
                + $"--url http://HOST:{answers.Port}" : null;
    }

    /// <summary>Fetches the keys that were given as addresses, and has each confirmed; null if one was not, which is told.</summary>
    private static async Task<SetupAnswers?> ConfirmAsync(SetupAnswers answers, Questions questions, CancellationToken cancellation)
    {
        var confirmed = new List<Voter>();
        foreach (var rebuilder in answers.Rebuilders)
        {
            if (!FetchedKey.IsSource(rebuilder.Key))
            {
                confirmed.Add(rebuilder);
                continue;
            }

            try
            {
                var fetched = await FetchedKey.FetchAsync(rebuilder.Key, cancellation);
                if (await questions.ConfirmsAsync(rebuilder, fetched))
                {
                    confirmed.Add(rebuilder with { Key = fetched.Key.ToString() });
                    continue;
                }

                Console.Error.WriteLine($"--rebuilder: the key of '{rebuilder.Name}' was not confirmed; nothing was written.");
            }
            catch (Exception exception) when (exception is FormatException or HttpRequestException or OperationCanceledException)
            {
                Console.Error.WriteLine($"--rebuilder: the key of '{rebuilder.Name}': {exception.Message} Nothing was written.");
            }

            return null;
        }

        return answers with { Rebuilders = confirmed };
    }

    private static int Write(SetupAnswers answers, PresetFiles files, bool overwrite)
    {
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

        Console.WriteLine(files.OwnLog is { } log ? NextSteps.OfBuilder(answers, files, log)
            : answers.Preset is Preset.Farms ? NextSteps.OfFarms(answers, files) : NextSteps.OfProxy(answers, files));
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

        result.AddError($"--preset is '{result.Tokens[0].Value}'; it must be {PresetNames.All}.");
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
