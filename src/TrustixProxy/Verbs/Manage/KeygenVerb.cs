using System.CommandLine;
using TrustixProxy.Configuration;
using TrustixProxy.Nix;
using TrustixProxy.Terminal;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Verbs.Manage;

/// <summary><c>trustix-proxy keygen</c>: makes a key for signing narinfos, for a log, or a write token. All have one form.</summary>
internal static class KeygenVerb
{
    public static Command Create()
    {
        var file = new Argument<string>("FILE") { Description = "File to write the secret key to (0600). Must not exist." };
        var name = new Option<string>("--name")
        {
            Description = "Name of the key, as in name:base64.",
            DefaultValueFactory = _ =>
            $"{HostName.Own}-trustix-1"
        };
        var origin = new Option<string?>("--origin")
        {
            Description = "The log's name in C2SP checkpoints: also prints the log's verifier keys and how to get witnesses.",
            HelpName = "ORIGIN",
        };
        var guix = new Option<bool>("--guix")
        {
            Description = "Creates nothing: prints the public key for GNU Guix of the signing key in FILE, for guix archive --authorize.",
        };
        var command = new Command("keygen", "Creates an Ed25519 key in Nix's form for serve (signingKeyFile), log serve "
            + "(privateKeyFile) or as a write token, and prints its public half.") { file, name, origin, guix };
        command.SetAction(parsed => parsed.GetValue(guix) ? ShowForGuix(parsed.GetValue(file)!)
            : Run(parsed.GetValue(file)!, parsed.GetValue(name)!, parsed.GetValue(origin)));
        return command;
    }

    private static int ShowForGuix(string file)
    {
        if (!File.Exists(file))
        {
            Console.Error.WriteLine($"FILE is '{file}', which does not exist; create a key with: trustix-proxy keygen {file}");
            return ExitCode.Usage;
        }

        if (!KeyFile.TryRead(file, allowBare: false, out var key, out var fault))
        {
            Console.Error.WriteLine($"FILE {fault}");
            return ExitCode.Usage;
        }

        Console.Write(GuixSecretKey.Of(key).PublicKey.ToLines());
        return ExitCode.Good;
    }

    private static int Run(string file, string name, string? origin)
    {
        if (origin is not null && LogOrigin.FaultOf(origin) is { } fault)
        {
            Console.Error.WriteLine($"--origin {fault}");
            return ExitCode.Usage;
        }

        NixSecretKey key;
        try
        {
            key = NixSecretKey.Generate(name);
        }
        catch (ArgumentException exception)
        {
            Console.Error.WriteLine(
                $"--name: {exception.Message.Replace($" (Parameter '{exception.ParamName}')", "", StringComparison.Ordinal)}");
            return ExitCode.Usage;
        }

        try
        {
            KeyFile.Write(file, key);
            Console.WriteLine(key.PublicKey);
            foreach (var line in origin is null ? [] : WitnessMail.Lines((origin, new LogSigner(key.Key).Key)))
            {
                Console.WriteLine(line);
            }

            return ExitCode.Good;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            Console.Error.WriteLine($"FILE is '{file}', which cannot be created: {exception.Message}");
            return ExitCode.Usage;
        }
    }
}
