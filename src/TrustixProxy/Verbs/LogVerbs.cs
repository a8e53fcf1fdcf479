using System.CommandLine;
using System.CommandLine.Parsing;
using TrustixProxy.Configuration;
using TrustixProxy.LogNode.Operations;
using TrustixProxy.LogNode.Submission;
using TrustixProxy.Operations;

namespace TrustixProxy.Verbs;

/// <summary><c>trustix-proxy log …</c>: the log node, and giving it what was built.</summary>
internal static class LogVerbs
{
    public static Command Create()
    {
        var command = new Command("log", "Keeps a build-transparency log, or submits to one.") { Serve(), Submit(), LogTokenVerb.Create() };
        foreach (var verb in LogFileVerbs.Create())
        {
            command.Add(verb);
        }

        return command;
    }

    private static Command Serve()
    {
        var command = new Command("serve", "Runs the log node.") { ServeVerb.ConfigOption };
        command.SetAction((parsed, cancellation) => ServeAsync(parsed.GetValue(ServeVerb.ConfigOption), cancellation));
        return command;
    }

    private static async Task<int> ServeAsync(string? config, CancellationToken cancellation)
    {
        var (options, faults) = ConfigurationFile.Read(config, section => LogServeConfiguration.Read(section, isCheck: false));
        if (options is null)
        {
            return ExitCode.Refuse(faults);
        }

        try
        {
            using var metrics = new PrometheusText("TrustixProxy.LogNode");
            await using var app = LogNodeHost.Create(options, ServeVerb.LogToConsole, metrics.AnswerAsync);
            foreach (var log in options.Logs)
            {
                Console.Error.WriteLine($"log {log.Name}: publicKey {log.Signer.Key}, id {log.Signer.Key.LogId}");
            }

            return await ServeVerb.RunAsync(app, "serving logs", cancellation);
        }
        catch (Exception exception) when (exception is IOException or InvalidDataException)
        {
            Console.Error.WriteLine(exception.Message);
            return ExitCode.Usage;
        }
    }

    private static Command Submit()
    {
        var paths = new Argument<string[]>("PATH") { Description = "Store paths that were built here.", Arity = ArgumentArity.OneOrMore };
        var url = new Option<Uri>("--url")
        {
            Description = "The node's private listener: http://host:port or unix:/path.",
            HelpName = "URL",
            DefaultValueFactory = _ => new Uri("http://127.0.0.1:8091"),
            CustomParser = ReadUrl,
        };
        var token = new Option<string>("--token-file") { Description = "The write token, made by keygen.", Required = true, HelpName = "FILE" };
        var name = new Option<string?>("--log") { Description = "The log's name, when the node has several.", HelpName = "NAME" };
        var command = new Command("submit", "Submits the outputs at store paths: hash, size and references, as Nix has them.") { paths, url, token, name };
        command.SetAction((parsed, cancellation) =>
            SubmitAsync(parsed.GetValue(paths)!, parsed.GetValue(url)!, parsed.GetValue(token)!, parsed.GetValue(name), cancellation));
        return command;
    }

    private static Uri? ReadUrl(ArgumentResult argument)
    {
        var text = argument.Tokens.Count > 0 ? argument.Tokens[0].Value : "";
        if (Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" or "unix")
        {
            return url;
        }

        argument.AddError($"--url is '{text}'; it must be http://host:port, https://host:port or unix:/path.");
        return null;
    }

    private static async Task<int> SubmitAsync(string[] paths, Uri url, string tokenFile, string? name, CancellationToken cancellation)
    {
        try
        {
            if (!KeyFile.TryReadPrivate(tokenFile, allowBare: false, out var token, out var fault))
            {
                Console.Error.WriteLine($"--token-file: {fault}");
                return ExitCode.Usage;
            }

            using var submitter = new LogSubmitter(url, token);
            var statements = await NixStore.DescribeAsync(paths, cancellation);
            await submitter.SubmitAsync(await submitter.FindLogAsync(name, cancellation), statements, cancellation);
            Console.WriteLine($"submitted {statements.Count} {(statements.Count is 1 ? "path" : "paths")}");
            return ExitCode.Good;
        }
        catch (Exception exception) when (exception is NixException or SubmissionException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(exception.Message);
            return ExitCode.Unknown;
        }
    }
}
