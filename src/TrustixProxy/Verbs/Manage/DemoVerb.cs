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
            "Use this path of the machine's Nix store, with its closure, as the path agreed on.",
            HelpName = "PATH"
        };
        var keep = new Option<bool>("--keep") { Description = "Keep everything running until Ctrl-C." };
        var command = new Command("demo",
            "Starts three logs, a cache and the proxy on loopback, and shows which paths are served or refused.") { storePath, keep };
        command.SetAction(
            (parsed, cancellation) => Demonstration.RunAsync(parsed.GetValue(storePath), parsed.GetValue(keep), cancellation));
        return command;
    }
}
