using System.CommandLine;
using TrustixProxy.Configuration;
using TrustixProxy.Nix;
using TrustixProxy.Setup;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Manage;

/// <summary><c>trustix-proxy install</c> and <c>uninstall</c>: a service on a Linux with systemd, and its end.</summary>
internal static class InstallVerb
{
    private static readonly Option<string> Root = new("--root")
    {
        Description = "Folder that becomes a machine, for packages and images; nothing is started.",
        HelpName = "DIR",
        DefaultValueFactory = _ => "/",
        Validators = { SharedOptions.IsNamed },
    };
    private static readonly Option<string?> Program = new("--program")
    {
        Description = "The program that the unit runs, by its path on the machine. Default: this one, copied to "
            + "/usr/local/lib/trustix-proxy unless it is below /usr or /opt.",
        HelpName = "PATH",
    };
    private static readonly Option<bool> NoStart = new("--no-start") { Description = "Enable the service, but do not start it." };
    private static readonly Option<bool> Purge = new("--purge")
    {
        Description = "Also delete configurations, keys, state and users. Clients of the proxy then need another key.",
    };

    /// <param name="pages">Man page and completions, by path, of all verbs.</param>
    public static Command Create(Func<IReadOnlyList<(string Path, string Text)>> pages)
    {
        var config = new Option<string?>("--config", "-c")
        {
            Description = "Configuration of serve, log serve or publish. Default: /etc/trustix-proxy/trustix-proxy.json below --root.",
            HelpName = "FILE",
        };
        var command = new Command("install", "Makes a systemd service of a configuration: unit, user, keys, man page and completions. "
            + "Says what it does, and what Nix has to be told.") { config, Root, Program, NoStart };
        command.SetAction((parsed, cancellation) => InstallAsync(parsed, parsed.GetValue(config), pages(), cancellation));
        return command;
    }

    /// <param name="pages">Man page and completions, by path, of all verbs.</param>
    public static Command CreateUninstall(Func<IReadOnlyList<(string Path, string Text)>> pages)
    {
        var command = new Command("uninstall", "Takes away what install has made. Keeps keys and state, and sets configurations aside.")
        {
            Root, Purge,
        };
        command.SetAction(parsed => Uninstall(
            Path.GetFullPath(parsed.GetValue(Root)!), pages().Select(page => page.Path), parsed.GetValue(Purge)));
        return command;
    }

    private static int Uninstall(string root, IEnumerable<string> pages, bool purges)
    {
        if (root is "/" && !Environment.IsPrivilegedProcess)
        {
            Console.Error.WriteLine("uninstall: deletes below /etc and /usr/local, for which it needs root: sudo trustix-proxy uninstall.");
            return ExitCode.Usage;
        }

        var installation = new Installation(root, Console.WriteLine);
        var code = Try(() => installation.Uninstall(pages, purges));
        Console.WriteLine(
            "Nix and Guix still ask the proxy and believe its key, if they were told to: take both out of their settings.");
        return code is ExitCode.Good ? Tell(installation) : code;
    }

    /// <summary>Tells what systemd did not do.</summary>
    private static int Tell(Installation installation)
    {
        foreach (var line in installation.Failures)
        {
            Console.Error.WriteLine($"failed: {line}. What it said is above; do it by hand, or do all of this again.");
        }

        return installation.Failures.Count is 0 ? ExitCode.Good : ExitCode.No;
    }

    private static async Task<int> InstallAsync(
        ParseResult parsed, string? config, IReadOnlyList<(string Path, string Text)> pages, CancellationToken cancellation)
    {
        var root = Path.GetFullPath(parsed.GetValue(Root)!);
        var machine = await Machine.LookAsync(root, cancellation);
        if (machine.IsNixOS)
        {
            Console.Error.WriteLine($"--root: {root} is NixOS, whose configuration makes units and users: set "
                + "services.trustix-proxy.enable or services.trustix-log.enable there (nix/README.md).");
            return ExitCode.Usage;
        }

        if (root is "/" && !machine.HasSystemd)
        {
            Console.Error.WriteLine("--root: systemd does not run this machine. Run trustix-proxy serve --config FILE under your own "
                + "supervisor, or use the container image; --root DIR prepares another machine.");
            return ExitCode.Usage;
        }

        if (root is "/" && !Environment.IsPrivilegedProcess)
        {
            Console.Error.WriteLine("install: writes below /etc and /usr/local, for which it needs root: sudo trustix-proxy install "
                + "--config FILE.");
            return ExitCode.Usage;
        }

        if (parsed.GetValue(Program) is { } program && !Service.IsWord(program))
        {
            Console.Error.WriteLine($"--program: is '{program}', which a unit cannot start: give a path from / on, of letters, digits and "
                + "@ + = : , . / - _ alone.");
            return ExitCode.Usage;
        }

        var installation = new Installation(root, Console.WriteLine);
        var file = config ?? installation.At("/etc/trustix-proxy/trustix-proxy.json");
        if (Service.Read(file, out var proxy, out var faults) is not { } service)
        {
            return ExitCode.Refuse(faults);
        }

        var code = Try(() => installation.Install(service, file, parsed.GetValue(Program), pages, !parsed.GetValue(NoStart)));
        if (code is ExitCode.Good)
        {
            Console.WriteLine(NextSteps(service, proxy, installation, file));
            code = Tell(installation);
        }

        return code;
    }

    private static int Try(Action action)
    {
        try
        {
            action();
            return ExitCode.Good;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"--root: {exception.Message}");
            return ExitCode.Usage;
        }
    }

    private static string NextSteps(Service service, ServeConfiguration? proxy, Installation installation, string file)
    {
        var others = ConfigurationFile.FilesOf(file).Skip(1).Except(service.Keys.Select(key => Path.GetFullPath(key.Source))).ToList();
        var readable = others.Count is 0 || service.IsRoot ? ""
            : $"The user {service.Unit} must be able to read {string.Join(", ", others)}.\n";
        return readable + (service.Verb switch
        {
            "publish" => "Tell Nix of its hook: post-build-hook in nix.conf, with the script nix/post-build-hook of the sources.",
            "log serve" => "Others add the log by the line that trustix-proxy init printed; its publisher is a service of its own.",
            _ => OfProxy(proxy!, installation),
        }) + $"\nLook at it: systemctl status {service.Unit}; journalctl -u {service.Unit}";
    }

    private static string OfProxy(ServeConfiguration proxy, Installation installation)
    {
        var text = File.ReadAllText(installation.At("/etc/trustix-proxy/signing.key")).Trim();
        if (!NixSecretKey.TryParse(text, out var key, out _))
        {
            throw new InvalidOperationException("A key that was checked is none.");
        }

        var address = proxy.Options.FrontDoor.Listen[0].Replace("0.0.0.0", "127.0.0.1", StringComparison.Ordinal)
            .Replace("[::]", "[::1]", StringComparison.Ordinal);
        return proxy.Options.Policy.Store == Store.Guix
            ? $"Guix has to be told: guix archive --authorize with '{GuixSecretKey.Of(key).PublicKey}', as the only key, and guix-daemon "
                + $"with --substitute-urls={address}"
            : $"nix.conf has to be told, with no other substituter or key, or the vote is bypassed:\n  substituters = {address}\n  "
                + $"trusted-public-keys = {key.PublicKey}\nthen: systemctl restart nix-daemon";
    }
}
