using System.CommandLine;
using System.Globalization;
using TrustixProxy.Publisher;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Serve;

/// <summary><c>trustix-proxy hook</c>: what Nix's <c>post-build-hook</c> runs. Whatever happens, its exit code is 0: any other would end
/// Nix's builds.</summary>
internal static class HookVerb
{
    /// <summary>The verb.</summary>
    public const string Name = "hook";

    public static Command Create()
    {
        var spool = new Option<string>("--spool")
        {
            Description = "Spool directory; default: the variable TRUSTIX_SPOOL.",
            HelpName = "DIR",
            DefaultValueFactory = _ => Setting("TRUSTIX_SPOOL") ?? Spool.DefaultDirectory
        };
        var command = new Command(Name, "Queues the outputs Nix just built (DRV_PATH, OUT_PATHS) in the spool, for publish. Nix's "
            + "post-build-hook takes no arguments: name a script that runs this.") { spool };
        command.SetAction((parsed, _) => RunAsync(parsed.GetValue(spool)!));
        return command;
    }

    private static async Task<int> RunAsync(string spool)
    {
        try
        {
            var max = int.TryParse(Setting("TRUSTIX_SPOOL_MAX"), CultureInfo.InvariantCulture, out var number) ? number : Spool.MaxJobs;
            var roots = Path.Combine(Setting("NIX_STATE_DIR") ?? "/nix/var/nix", "gcroots", "auto");
            Warn(await new BuildHook(Path.GetFullPath(spool), max, roots, TimeProvider.System)
                .RunAsync(Setting("DRV_PATH"), Setting("OUT_PATHS")));
        }
        catch (Exception exception)
        {
            Warn(exception.Message);
        }

        return ExitCode.Good;
    }

    private static void Warn(string reason)
    {
        if (reason.Length > 0)
        {
            Console.Error.WriteLine($"trustix: these outputs will not be published: {reason}");
        }
    }

    private static string? Setting(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
