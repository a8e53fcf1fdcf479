using System.CommandLine;
using System.Text.Json;
using Spectre.Console;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Inspection;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Inspect;

/// <summary><c>trustix-proxy explain</c>: who says what of a path, how it is proven, and what that comes to.</summary>
internal static class ExplainVerb
{
    private static readonly Argument<string> Path = new(
        "path")
    { Description = "A store path, with or without /nix/store/, a link to one, or its digest.", HelpName = "PATH" };
    private static readonly Option<string?> Bundle = new(
        "--bundle")
    { Description = "Also write the decision with all its proofs, for trustix-proxy verify.", HelpName = "FILE" };

    public static Command Create()
    {
        var command = new Command("explain", "Asks every elector about a path and shows each vote, its proof and the verdict.") { Path,
            SharedOptions.Config, SharedOptions.Json, Bundle };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var text = parsed.GetValue(Path)!;
        var name = StorePath.TryParseAbsolute(text, out var absolute, out _) ? absolute
            : StorePath.TryParse(text, out var bare, out _) || StorePathArgument.TryRead(text, out bare) ? bare : null;
        if (name is null && !StorePathDigest.TryParse(text, out _))
        {
            Console.Error.WriteLine($"PATH is '{text}'; it must be a store path (/nix/store/digest-name or digest-name), a link to one, or "
                + $"the digest alone: 32 characters of nix32.");
            return ExitCode.Usage;
        }

        return await ProxyConfiguration.WithAsync(parsed, async options =>
        {
            using var examiner = new Explainer(options);
            var digest = name?.Digest
                ?? (StorePathDigest.TryParse(text, out var alone) ? alone : throw new System.Diagnostics.UnreachableException());
            var examination = await examiner.ExplainAsync(digest, name);
            if (parsed.GetValue(Bundle) is { } file)
            {
                if (examination.Bundle is null)
                {
                    Console.Error.WriteLine($"--bundle: nothing to write, because no elector could be asked: {examination.Sentence}");
                    return ExitCode.Unknown;
                }

                await File.WriteAllBytesAsync(file, examination.Bundle.ToBytes());
            }

            var refusedNars = examination.Path is { } path ? await examiner.FindRefusedNarsAsync(path, cancellation) : [];
            var missing = examination.Claim is { } claim ? await examiner.FindRefusedReferencesAsync(claim) : null;
            if (parsed.GetValue(SharedOptions.Json))
            {
                var explanation = Explain(examination, options.Policy, examiner.Upstreams) with
                {
                    RefusedReferences = missing?.Select(reference => reference.Absolute),
                    RefusedNars = refusedNars,
                };
                Console.WriteLine(JsonSerializer.Serialize(explanation, VerbJson.Indented.ExplanationJson));
            }
            else
            {
                Show(examination, options.Policy, examiner.Upstreams);
                foreach (var nar in refusedNars)
                {
                    Console.WriteLine(nar);
                }

                foreach (var reference in missing ?? [])
                {
                    Console.WriteLine($"refers to {reference.Absolute}, which is refused; a client fetching this path fails there");
                }
            }

            return examination.Claim is not null ? ExitCode.Good : examination.Verdict is null || examination.WasCutShort ? ExitCode.Unknown
                : ExitCode.No;
        });
    }

    private static void Show(Explanation examination, Policy policy, IReadOnlyList<UpstreamReport> upstreams)
    {
        if (examination is { Path: { } path, Verdict: { } verdict })
        {
            Console.WriteLine(path.Absolute);
            Console.WriteLine(PolicyText.Of(policy.ScopeOf(path)));
            var table = new Table().Border(TableBorder.Simple).AddColumns("elector", "operator", "says", "proof", "head", "ms");
            foreach (var answer in verdict.Answers)
            {
                var vote = AnswerText.Of(answer);
                table.AddRow(new[] { vote.Elector, vote.Operator, vote.Says, vote.Proof, vote.Head?.ToString("N0", null) ?? "-",
                    Latency(examination, answer)?.ToString("N0", null) ?? "-" }.Select(cell => new Text(cell)));
            }

            var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors });
            console.Profile.Width = 200;
            console.Write(table);
        }

        foreach (var upstream in upstreams.Where(upstream => upstream.State is not "live"))
        {
            Console.WriteLine($"upstream {upstream}");
        }

        Console.WriteLine($"{examination.Outcome.Word()}: {examination.Sentence}");
    }

    private static double? Latency(Explanation examination, Answer answer) =>
        examination.Latencies.TryGetValue(answer.Elector.Name, out var latency) ? latency.TotalMilliseconds : null;

    private static ExplanationJson Explain(Explanation examination, Policy policy, IReadOnlyList<UpstreamReport> upstreams) => new(
        examination.Path?.Absolute,
        examination.Outcome.Word(),
        examination.Sentence,
        examination.Claim?.NarHash.ToString(),
        examination.Claim?.NarSize,
        examination.Claim?.References.Select(reference => reference.Absolute),
        examination.Path is null ? null : PolicyText.Of(policy.ScopeOf(examination.Path)),
        policy.Identity.ToString(),
        examination.Verdict?.Answers.Select(answer => (answer, Told: AnswerText.Of(answer)))
            .Select(item => new ExplainedAnswer(
                item.Told.Elector, item.Told.Operator, item.Told.Says, item.Told.Proof, item.Told.Head, Latency(examination, item.answer))),
        upstreams);
}
