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
        var file = new Argument<string>("FILE") { Description = "File of the private token. Created (0600) if missing." };
        var name = new Option<string>("--name")
        {
            Description = "Name of a new token.",
            DefaultValueFactory = _ =>
            HostName.Own
        };
        var call = new Option<string?>(
            "--call")
        {
            Description =
            "Prints the Trustix-Token header for this call (for example trustix_rpc.v1.LogRPC/Submit) instead of the public token.",
            HelpName = "CALL"
        };
        var body = new Option<string?>(
            "--body")
        { Description = "File with the message of the call, which the token signs. Default: an empty message.", HelpName = "FILE" };
        var reference = new Option<bool>("--reference")
        {
            Description =
            "Use Trustix's own token form, which signs only the call's name and can be replayed."
        };
        var command = new Command(
            "token", "Creates a write token and prints its public half for writeTokens, or prints the header for a "
                + "call.") { file, name, call,
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
