using System.CommandLine;
using TrustixProxy.Consensus;

namespace TrustixProxy.Verbs;

/// <summary><c>trustix-proxy verify</c>: checks a decision again, offline, trusting nobody who made it.</summary>
internal static class VerifyVerb
{
    private static readonly Argument<string> File = new("file") { Description = "A bundle, from explain --bundle or /decisions/DIGEST.", HelpName = "FILE" };
    private static readonly Option<string?> Policy = new("--policy") { Description = "The configuration whose electors and policy it is held against; names and keys come from there only.", HelpName = "FILE" };

    public static Command Create()
    {
        var command = new Command("verify", "Re-checks a decision bundle: every signature, every proof, and the verdict. Needs no network.") { File, Policy, ServeVerb.ConfigOption };
        command.SetAction((parsed, _) => RunAsync(parsed));
        return command;
    }

    private static Task<int> RunAsync(ParseResult parsed) => ProxyConfiguration.ReadAsync(parsed.GetValue(Policy) ?? parsed.GetValue(ServeVerb.ConfigOption), async options =>
    {
        byte[] bytes;
        try
        {
            bytes = await System.IO.File.ReadAllBytesAsync(parsed.GetValue(File)!);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"FILE is '{parsed.GetValue(File)}', which cannot be read: {exception.Message}");
            return ExitCode.Usage;
        }

        if (!DecisionBundle.TryVerify(bytes, options.Policy, out var bundle, out var verdict, out var error))
        {
            Console.WriteLine($"not verified: {Explain(error)}");
            return ExitCode.No;
        }

        Console.WriteLine($"verified: {bundle.Path} {bundle.Outcome} at {bundle.DecidedAt}: {verdict!.Sentence}");
        return ExitCode.Good;
    });

    private static string Explain(DecisionBundleError error) => error switch
    {
        DecisionBundleError.Json => "it is no decision bundle, or was cut or changed: not this JSON.",
        DecisionBundleError.Version => "it is of a version that this program does not read; use the program that wrote it, or a newer one.",
        DecisionBundleError.Digest => "it was changed: its content does not have the digest that it names.",
        DecisionBundleError.Policy => "it was decided under another policy than that of the configuration given.",
        DecisionBundleError.Electors => "it lacks an elector of the policy, or has one that is not in it.",
        DecisionBundleError.Head => "a signed tree head in it does not bear the signature of its log's key.",
        DecisionBundleError.Answer => "an elector's answer in it does not prove what it is there for.",
        DecisionBundleError.Outcome => "the answers in it lead to another outcome, or another claim.",
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}
