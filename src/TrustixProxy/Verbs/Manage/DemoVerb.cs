using System.CommandLine;
using TrustixProxy.Demo;

namespace TrustixProxy.Verbs.Manage;

/// <summary><c>trustix-proxy demo</c>: everything once, on this machine alone.</summary>
internal static class DemoVerb
{
    public static Command Create()
    {
        var storePath = new Option<string?>("--store-path")
        {
            Description =
            "Takes this path of the machine's Nix store for the path that is agreed on, with its closure.",
            HelpName = "PATH"
        };
        var keep = new Option<bool>("--keep") { Description = "Leaves everything running until Ctrl-C." };
        var command = new Command("demo",
            "Starts three logs, a cache and the proxy on loopback, and shows what is served and what is refused.") { storePath, keep };
        command.SetAction(
            (parsed, cancellation) => Demonstration.RunAsync(parsed.GetValue(storePath), parsed.GetValue(keep), cancellation));
        return command;
    }
}
