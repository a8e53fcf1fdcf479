using System.CommandLine;
using System.Text.Json;
using TrustixProxy.Apt;
using TrustixProxy.Configuration;
using TrustixProxy.Consensus;
using TrustixProxy.Terminal;
using TrustixProxy.TransparencyLog;
using TrustixProxy.Verbs.Apt;

namespace TrustixProxy.Verbs.Inspect;

/// <summary><c>trustix-proxy verify</c>: checks a decision, or the evidence against a log, again: offline, trusting nobody who made
/// it.</summary>
internal static class VerifyVerb
{
    private static readonly Argument<string> File = new(
        "file")
    {
        Description =
        "A decision bundle (explain --bundle, or /decisions/DIGEST), or evidence against a log (evidence/ in the state directory).",
        HelpName = "FILE"
    };
    private static readonly Option<string?> PolicyFile = new("--policy")
    {
        Description =
        "Configuration with the electors, keys and policy to verify against; none are taken from FILE.",
        HelpName = "FILE"
    };

    public static Command Create()
    {
        var command = new Command("verify", "Verifies a decision bundle, or evidence against a log: every signature, every proof, "
            + "and the outcome. Needs no network.") { File, PolicyFile, SharedOptions.Config, SharedOptions.Json };
        command.SetAction((parsed, _) =>
        {
            var config = parsed.GetValue(PolicyFile) ?? parsed.GetValue(SharedOptions.Config);
            return ConfigurationFile.IsOfAptGate(config)
                ? Task.FromResult(AptVerifyVerb.Run(parsed.GetValue(File)!, config, parsed.GetValue(SharedOptions.Json)))
                : RunAsync(parsed, config);
        });
        return command;
    }

    private static Task<int> RunAsync(ParseResult parsed, string? config) => ProxyConfiguration.ReadAsync(config, async options =>
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

        if (DebBundle.IsOne(bytes))
        {
            Console.Error.WriteLine("FILE is a decision on a Debian package; give the configuration of its gate: --policy apt.json.");
            return ExitCode.Usage;
        }

        var isJson = parsed.GetValue(SharedOptions.Json);
        return CanonicalJson.KindOf(bytes) is not null ? VerifyEvidence(bytes, options.Policy, isJson)
            : VerifyBundle(bytes, options.Policy, isJson);
    });

    private static int VerifyEvidence(byte[] bytes, Policy policy, bool isJson)
    {
        var logs = policy.Electors.OfType<Elector.Log>().ToList();
        if (!FaultEvidence.TryVerify(bytes, logs.Select(log => log.Key), out var evidence, out var error))
        {
            return Refuse(Explain(error), isJson);
        }

        var heads = evidence.Fault.Heads;
        var (name, sizes) = (logs.Single(log => log.Key == heads[0].Key).Name, heads.Select(head => head.Content.TreeSize));
        Console.WriteLine(isJson
            ? JsonSerializer.Serialize(new VerifiedEvidence(true, name, evidence.Fault.Kind, sizes), VerbJson.Indented.VerifiedEvidence)
            : $"verified: the log '{name}' has contradicted itself ({evidence.Fault.Kind}) under its own signature, between heads of size "
                + $"{string.Join(" and ", sizes)}");
        return ExitCode.Good;
    }

    private static int VerifyBundle(byte[] bytes, Policy policy, bool isJson)
    {
        if (!DecisionBundle.TryVerify(bytes, policy, out var bundle, out var verdict, out var error))
        {
            return Refuse(Explain(error), isJson);
        }

        var witnessed = verdict!.Answers.Select(WitnessedAnswer.Of).OfType<WitnessedAnswer>().ToList();
        if (isJson)
        {
            Console.WriteLine(JsonSerializer.Serialize(
                new VerifiedBundle(true, bundle.Path.ToString(), bundle.Outcome.Word(), bundle.DecidedAt, verdict.Sentence, witnessed),
                VerbJson.Indented.VerifiedBundle));
            return ExitCode.Good;
        }

        Console.WriteLine($"verified: {bundle.Path} {bundle.Outcome.Word()} at {bundle.DecidedAt}: {verdict.Sentence}");
        witnessed.ForEach(Console.WriteLine);
        return ExitCode.Good;
    }

    private static int Refuse(string why, bool isJson)
    {
        Console.WriteLine(
            isJson ? JsonSerializer.Serialize(new NotVerified(false, why), VerbJson.Indented.NotVerified) : $"not verified: {why}");
        return ExitCode.No;
    }

    private static string Explain(FaultEvidenceError error) => error switch
    {
        FaultEvidenceError.Json => "it is not evidence, or was truncated or changed: not the expected JSON.",
        FaultEvidenceError.Version => "its version is not supported; use the program that wrote it, or a newer one.",
        FaultEvidenceError.Digest => "it was changed: its content does not match its digest.",
        FaultEvidenceError.Heads => "its heads are signed by no log of the given configuration.",
        FaultEvidenceError.NotShown => "its content shows no contradiction.",
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    private static string Explain(DecisionBundleError error) => error switch
    {
        DecisionBundleError.Json => "it is not a decision bundle, or was truncated or changed: not the expected JSON.",
        DecisionBundleError.Version => "its version is not supported; use the program that wrote it, or a newer one.",
        DecisionBundleError.Digest => "it was changed: its content does not match its digest.",
        DecisionBundleError.Policy => "it was decided under a different policy than that of the given configuration.",
        DecisionBundleError.Electors => "it lacks an elector of the policy, or has one outside the policy.",
        DecisionBundleError.Head => "a signed tree head in it is not signed by its log's key.",
        DecisionBundleError.Checkpoint => "a head whose witnesses the policy demands comes without its checkpoints, or with checkpoints "
            + "that are not the log's for this head, or with an invalid cosignature.",
        DecisionBundleError.Witnesses => "too few of the policy's witnesses have cosigned a head in it, or none of them lately when it was "
            + "decided.",
        DecisionBundleError.Answer => "an elector's answer in it does not prove its claim.",
        DecisionBundleError.Outcome => "its answers lead to a different outcome or claim.",
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}
