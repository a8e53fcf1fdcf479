using System.Text;
using Spectre.Console;
using TrustixProxy.Terminal;

namespace TrustixProxy.Demo;

/// <summary>What the demo prints.</summary>
internal static class DemoScreen
{
    /// <summary>The addresses first, then who is who.</summary>
    public static void Open(DemoStage stage) => Console.WriteLine($"""
        dashboard  {stage.DashboardUrl}
        proxy      {stage.ProxyUrl}

          alice   ──┐                              Each says in a log of its own what its builds produced.
          bob     ──┼──▶ trustix-proxy ──▶ you     What two of the three say alike is served.
          mallory ──┘          ▲
          cache   ─────────────┘                   It has the files, which are hashed on the way.

        The builder mallory is rogue. What each log says of a path (a NAR hash), and what comes of it:
        """);

    /// <summary>What each log says, and what the client gets.</summary>
    public static void Show(IEnumerable<(DemoCase Case, string Verdict, string Gets)> rows)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("path", "alice", "bob", "mallory", "verdict", "the client gets");
        foreach (var (item, verdict, gets) in rows)
        {
            table.AddRow([Markup.Escape(item.Path.Name), .. item.Votes, verdict, Markup.Escape(gets)]);
        }

        AnsiConsole.Profile.Width = Math.Max(120, AnsiConsole.Profile.Width);
        AnsiConsole.Write(table);
    }

    /// <summary>How a real Nix uses it.</summary>
    public static void Explain(DemoStage stage, DemoCase agreed, string? evidence, bool keep)
    {
        var text = new StringBuilder();
        text.AppendLine(keep ? "\nEverything runs until Ctrl-C. Try it with a real Nix:"
            : "\nWith --keep, everything keeps running. Then try it with a real Nix:");
        text.AppendLine($"  nix --extra-experimental-features nix-command copy --from {stage.ProxyUrl} --to /tmp/demo-store \\");
        text.AppendLine($"      --option trusted-public-keys {stage.PublicKey} {agreed.Path.Absolute}");
        text.AppendLine("or, for every build of a machine, in nix.conf:");
        text.AppendLine($"  substituters = {stage.ProxyUrl}");
        text.AppendLine($"  trusted-public-keys = {stage.PublicKey}");
        if (keep && evidence is not null)
        {
            text.AppendLine("Anyone can check the evidence against mallory:");
            text.AppendLine($"  trustix-proxy verify {evidence} --policy {stage.ConfigFile}");
        }

        Console.Write(text);
    }

    /// <summary>Asks on a terminal whether all is to go on.</summary>
    public static async Task<bool> AsksToKeepAsync(DemoStage stage, CancellationToken cancellation)
    {
        if (Console.IsInputRedirected || Console.IsOutputRedirected)
        {
            return false;
        }

        Console.Write($"\nKeep everything running, to look at {stage.DashboardUrl} and to try it with Nix? [y/N] ");
        return await TypedLine.ReadAsync(Console.In, cancellation) is "y" or "Y" or "yes";
    }
}
