using System.CommandLine;
using System.CommandLine.Parsing;
using TrustixProxy.Configuration;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Node;

/// <summary><c>trustix-proxy log submit|submit-closure</c>: gives a log what is in this machine's store, there and then.</summary>
internal static class LogSubmitVerbs
{
    private static readonly Option<Uri> Url = new("--url")
    {
        Description = "The node's private listener: http://host:port or unix:/path.",
        HelpName = "URL",
        DefaultValueFactory = _ => new Uri("http://127.0.0.1:8091"),
        CustomParser = ReadUrl,
    };

    private static readonly Option<string> TokenFile = new(
        "--token-file")
    { Description = "File of the write token, created by keygen.", Required = true, HelpName = "FILE" };
    private static readonly Option<string?> Log = new(
        "--log")
    { Description = "Name of the log, if the node has several.", HelpName = "NAME" };

    public static Command Submit()
    {
        var paths = new Argument<string[]>("PATH") { Description = "Store paths built on this machine.", Arity = ArgumentArity.OneOrMore };
        var command = new Command(
            "submit", "Submits the outputs at store paths: hash, size and references, as recorded by Nix.") { paths, Url, TokenFile, Log };
        command.SetAction((parsed, cancellation) => RunAsync(parsed, async () =>
        {
            var outputs = await MachineStore.DescribeAsync(parsed.GetValue(paths)!.Select(PathOf), cancellation);
            return (outputs, $"submitted {Count(outputs.Count)}");
        }, cancellation));
        return command;
    }

    public static Command SubmitClosure()
    {
        var path = new Argument<string>("PATH") { Description = "A store path." };
        var all = new Option<bool>("--all")
        {
            Description =
            "Also submits paths fetched or copied to this machine. The log then vouches for other people's builds."
        };
        var include = Globs("--include", "Submit only paths whose name (the part after the digest) matches one of these globs (* and ?).");
        var exclude = Globs("--exclude", "Submit no path whose name matches one of these globs.");
        var command = new Command("submit-closure", "Submits those paths of a closure that were built on this machine.") { path, all,
            include, exclude, Url, TokenFile, Log };
        command.SetAction((parsed, cancellation) => RunAsync(parsed, async () =>
        {
            var filter = new NameFilter([.. parsed.GetValue(include)!], [.. parsed.GetValue(exclude)!]);
            var closure = await MachineStore.DescribeAsync(
                await MachineStore.ClosureAsync(PathOf(parsed.GetValue(path)!), cancellation), cancellation);
            return Select(closure, parsed.GetValue(all), filter);
        }, cancellation));
        return command;
    }

    private static (IReadOnlyList<DescribedOutput> Outputs, string Message) Select(
        IReadOnlyList<DescribedOutput> closure, bool all, NameFilter filter)
    {
        var admitted = closure.Where(output => filter.Admits(output.Statement.Path)).ToList();
        var outputs = admitted.Where(output => all || output.IsBuiltHere is true).ToList();
        var unknown = all ? 0 : admitted.Count(output => output.IsBuiltHere is null);
        return (outputs, $"submitted {Count(outputs.Count)}; skipped {admitted.Count - outputs.Count - unknown} not built here"
            + $"{(unknown > 0 ? $", {unknown} of them with unknown origin (--all submits them)" : "")}, "
                + $"{closure.Count - admitted.Count} held back by --include and --exclude");
    }

    /// <summary>Submits what <paramref name="choose"/> finds, and says what it says of that.</summary>
    private static async Task<int> RunAsync(
        ParseResult parsed, Func<Task<(IReadOnlyList<DescribedOutput> Outputs, string Message)>> choose, CancellationToken cancellation)
    {
        try
        {
            if (!KeyFile.TryReadPrivate(parsed.GetValue(TokenFile)!, allowBare: false, out var token, out var fault))
            {
                Console.Error.WriteLine($"--token-file: {fault}");
                return ExitCode.Usage;
            }

            using var submitter = new LogSubmitter(parsed.GetValue(Url)!, token);
            var (outputs, message) = await choose();
            var log = await submitter.FindLogAsync(parsed.GetValue(Log), cancellation);
            var came = await submitter.SubmitAsync(log, [.. outputs.Select(output => output.Statement)], cancellation);
            Console.WriteLine(message);
            return Tell(came);
        }
        catch (ArgumentException exception)
        {
            Console.Error.WriteLine(exception.Message);
            return ExitCode.Usage;
        }
        catch (SubmissionException exception) when (exception.Kind is SubmissionFault.Refused or SubmissionFault.TooMuch)
        {
            Console.Error.WriteLine(exception.Message);
            return ExitCode.No;
        }
        catch (Exception exception) when (exception is NixException or SubmissionException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(exception.Message);
            return ExitCode.Unknown;
        }
    }

    private static int Tell(Submission came)
    {
        foreach (var (statement, reason) in came.Refused)
        {
            Console.Error.WriteLine($"{statement.Path} was not submitted: {reason}");
        }

        foreach (var path in came.Contradicted)
        {
            Console.Error.WriteLine($"{path}: the log holds a different value than ours and keeps the first one submitted");
        }

        return came.Refused.Count + came.Contradicted.Count is 0 ? ExitCode.Good : ExitCode.No;
    }

    private static Option<string[]> Globs(string name, string description)
    {
        var option = new Option<string[]>(name) { Description = description, HelpName = "GLOB", DefaultValueFactory = _ => [] };
        option.Validators.Add(result =>
        {
            foreach (var token in result.Tokens.Where(token => !NameGlob.IsGlob(token.Value)))
            {
                result.AddError($"{name} is '{token.Value}', which matches no store path name.");
            }
        });
        return option;
    }

    private static Uri? ReadUrl(ArgumentResult argument)
    {
        var text = argument.Tokens.Count > 0 ? argument.Tokens[0].Value : "";
        if (CommonKeys.TryReadUrl(text, allowUnix: true, out var url))
        {
            return url;
        }

        argument.AddError($"--url is '{text}'; it must be http://host:port, https://host:port or unix:/path.");
        return null;
    }

    private static StorePath PathOf(string text) =>
        StorePathArgument.TryRead(text, out var path) ? path
            : throw new ArgumentException($"PATH is '{text}', which is neither in {Store.Nix} or {Store.Guix}, nor a link to a path there");

    private static string Count(int number) => $"{number} {(number is 1 ? "path" : "paths")}";
}
