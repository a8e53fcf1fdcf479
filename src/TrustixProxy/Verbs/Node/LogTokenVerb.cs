using System.CommandLine;
using TrustixProxy.Configuration;
using TrustixProxy.LogNode.Api;
using TrustixProxy.Nix;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Node;

/// <summary><c>trustix-proxy log token</c>: makes a private token, or with it the header of one call, of either form.</summary>
internal static class LogTokenVerb
{
    public static Command Create()
    {
        var file = new Argument<string>("FILE") { Description = "The private token. It is made (0600) when it is not there." };
        var name = new Option<string>("--name")
        {
            Description = "The token's name, when it is made.",
            DefaultValueFactory = _ =>
            Environment.MachineName.ToLowerInvariant()
        };
        var call = new Option<string?>(
            "--call")
        {
            Description =
            "Prints the Trustix-Token header for this call, trustix_rpc.v1.LogRPC/Submit for example, instead of the public token.",
            HelpName = "CALL"
        };
        var body = new Option<string?>(
            "--body")
        { Description = "The call's message, which our form signs. Without it, an empty one.", HelpName = "FILE" };
        var reference = new Option<bool>("--reference")
        {
            Description =
            "The form of the reference implementation, which signs the call's name only and can be replayed."
        };
        var command = new Command(
            "token", "Makes a write token and prints its public half, for writeTokens; or makes the header of a call.") { file, name, call,
            body, reference };
        command.SetAction(parsed =>
            Run(parsed.GetValue(file)!, parsed.GetValue(name)!, parsed.GetValue(call), parsed.GetValue(body), parsed.GetValue(reference)));
        return command;
    }

    private static int Run(string file, string name, string? call, string? body, bool isReference)
    {
        try
        {
            if (!File.Exists(file))
            {
                KeyFile.Write(file, NixSecretKey.Generate(name));
            }

            if (!KeyFile.TryReadPrivate(file, allowBare: false, out var token, out var fault))
            {
                Console.Error.WriteLine($"FILE: {fault}");
                return ExitCode.Usage;
            }

            Console.WriteLine(call is null ? token.PublicKey.ToString()
                : $"{WriteToken.Header}: {Header(token, $"/{call.TrimStart('/')}", body, isReference)}");
            return ExitCode.Good;
        }
        catch (ArgumentException exception)
        {
            Console.Error.WriteLine($"--name: {exception.Message}");
            return ExitCode.Usage;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(exception.Message);
            return ExitCode.Usage;
        }
    }

    private static WriteToken Header(NixSecretKey token, string procedure, string? body, bool isReference) => isReference
        ? WriteToken.MakeReference(token, procedure)
        : WriteToken.Make(token, procedure, body is null ? [] : File.ReadAllBytes(body), TimeProvider.System.GetUtcNow());
}
