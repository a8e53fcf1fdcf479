using System.CommandLine;
using System.Text.Json;
using TrustixProxy.Apt;
using TrustixProxy.Configuration;
using TrustixProxy.Consensus;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Apt;

/// <summary><c>trustix-proxy apt verify</c>: decides again from a bundle alone: offline, trusting nobody who made it.</summary>
internal static class AptVerifyVerb
{
    private static readonly Argument<string> File = new("file")
    {
        Description = "A bundle of a decision on a package (apt explain --bundle, or /decisions/SHA256).",
        HelpName = "FILE",
    };

    public static Command Create()
    {
        var command = new Command("verify", "Verifies a decision on a package: every attestation's signature, and the outcome. Needs no "
            + "network.") { File, SharedOptions.Config, SharedOptions.Json };
        command.SetAction(parsed => Run(
            parsed.GetValue(File)!, parsed.GetValue(SharedOptions.Config), parsed.GetValue(SharedOptions.Json)));
        return command;
    }

    /// <summary>Verifies a bundle with a gate's configuration.</summary>
    internal static int Run(string file, string? config, bool isJson)
    {
        var (read, faults) = ConfigurationFile.Read(config, section => AptConfiguration.Read(section, isCheck: true));
        if (read is null)
        {
            return ExitCode.Refuse(faults);
        }

        byte[] bytes;
        try
        {
            bytes = System.IO.File.ReadAllBytes(file);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"FILE is '{file}', which cannot be read: {exception.Message}");
            return ExitCode.Usage;
        }

        if (!DebBundle.TryVerify(bytes, read.Options.Policy, out var bundle, out var error))
        {
            var why = Explain(error);
            Console.WriteLine(
                isJson ? JsonSerializer.Serialize(new NotVerified(false, why), AptJson.Indented.NotVerified) : $"not verified: {why}");
            return ExitCode.No;
        }

        var verdict = bundle.Verdict;
        Console.WriteLine(isJson
            ? JsonSerializer.Serialize(new VerifiedPackage(true, verdict.Asked.File.FileName, verdict.Asked.Sha256.ToString(),
                verdict.Outcome.Word(), bundle.DecidedAt, verdict.Sentence), AptJson.Indented.VerifiedPackage)
            : $"verified: {verdict.Asked.Text} {verdict.Outcome.Word()} at {bundle.DecidedAt}: {verdict.Sentence}");
        return ExitCode.Good;
    }

    private static string Explain(DebBundleError error) => error switch
    {
        DebBundleError.Json => "it is no decision on a package, or was truncated or changed: not the expected JSON.",
        DebBundleError.Version => "its version is not supported; use the program that wrote it, or a newer one.",
        DebBundleError.Digest => "it was changed: its content does not match its digest.",
        DebBundleError.Policy => "it was decided under a different policy than that of the given configuration.",
        DebBundleError.Electors => "it lacks a rebuilder of the policy, or has one outside the policy.",
        DebBundleError.Link => "an attestation in it is not signed by its rebuilder's key, or is about another file.",
        DebBundleError.Outcome => "its answers lead to a different outcome.",
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}
