using System.CommandLine;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs;

/// <summary><c>trustix-proxy completions</c> and <c>man</c>: what shells and readers want to know of all verbs.</summary>
internal static class PageVerbs
{
    /// <summary>Man page and completions, by their paths on a machine.</summary>
    public static IReadOnlyList<(string Path, string Text)> All(RootCommand root) =>
        [(ManPage.Path, ManPage.Of(root)),
            .. ShellCompletions.Shells.Select(shell => (ShellCompletions.PathOf(shell), ShellCompletions.For(root, shell)))];

    public static Command CreateCompletions(Func<RootCommand> root)
    {
        var shell = new Argument<string>("shell") { Description = "bash, zsh or fish.", HelpName = "SHELL" };
        var command = new Command("completions", "Prints a script that completes verbs, options and files in a shell.") { shell };
        command.SetAction(parsed =>
        {
            var named = parsed.GetValue(shell)!;
            if (!ShellCompletions.Shells.Contains(named))
            {
                Console.Error.WriteLine($"SHELL is '{named}'; it must be {string.Join(", ", ShellCompletions.Shells)}.");
                return ExitCode.Usage;
            }

            Console.Write(ShellCompletions.For(root(), named));
            return ExitCode.Good;
        });
        return command;
    }

    public static Command CreateMan(Func<RootCommand> root)
    {
        var command = new Command("man", "Prints the man page of all verbs, in roff.");
        command.SetAction(_ =>
        {
            Console.Write(ManPage.Of(root()));
            return ExitCode.Good;
        });
        return command;
    }
}
