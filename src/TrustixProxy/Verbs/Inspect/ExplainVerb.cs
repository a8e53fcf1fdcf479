using System.CommandLine;
using System.Text.Json;
using Spectre.Console;
using TrustixProxy.Consensus;
using TrustixProxy.Nars.Upstreams;
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
            SharedOptions.Config, SharedOptions.Json, Bundle, OwnRebuild.Source };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var text = parsed.GetValue(Path)!;
        if (NameOf(text, Store.Nix) is null && !StorePathDigest.TryParse(text, out _))
        {
            Console.Error.WriteLine($"PATH is '{text}'; it must be a store path (/nix/store/digest-name or digest-name), a link to one, or "
                + $"the digest alone: 32 characters of nix32.");
            return ExitCode.Usage;
        }

        return await ProxyConfiguration.WithAsync(parsed, async options =>
        {
            using var explainer = new Explainer(options);
            var name = NameOf(text, options.Policy.Store);
            var digest = name?.Digest
                ?? (StorePathDigest.TryParse(text, out var alone) ? alone : throw new System.Diagnostics.UnreachableException());
            var explanation = await explainer.ExplainAsync(digest, name);
            if (parsed.GetValue(Bundle) is { } file)
            {
                if (explanation.Bundle is null)
                {
                    Console.Error.WriteLine($"--bundle: nothing to write, because no elector could be asked: {explanation.Sentence}");
                    return ExitCode.Unknown;
                }

                await File.WriteAllBytesAsync(file, explanation.Bundle.ToBytes());
            }

            var refusedNars = explanation.Path is { } path ? await explainer.FindRefusedNarsAsync(path, cancellation) : [];
            var rebuilt = OwnRebuild.Find(parsed.GetValue(OwnRebuild.Source), explanation.Path);
            var missing = explanation.Claim is { } claim ? await explainer.FindRefusedReferencesAsync(claim) : null;
            if (parsed.GetValue(SharedOptions.Json))
            {
                var json = Explain(explanation, options.Policy, explainer.Upstreams) with
                {
                    RefusedReferences = missing?.Select(reference => reference.Absolute),
                    RefusedNars = refusedNars,
                    Unwitnessed = explainer.Unwitnessed,
                    Rebuilt = rebuilt,
                };
                Console.WriteLine(JsonSerializer.Serialize(json, VerbJson.Indented.ExplanationJson));
            }
            else
            {
                Show(explanation, options.Policy, [
                    .. explainer.Unwitnessed.Select(log => $"log {log}"),
                    .. explainer.Upstreams.Where(upstream => upstream.State is not "live").Select(upstream => $"upstream {upstream}"),
                    .. (explanation.Verdict?.Answers ?? []).Where(answer => SilenceRemedy.Of(answer) is not null)
                        .Select(answer => $"{answer.Elector.Name} does not vote: {SilenceRemedy.Of(answer)}"),
                ]);
                OwnRebuild.Show(rebuilt, explanation.Path);
                Show(refusedNars, missing ?? []);
            }

            return explanation.Claim is not null ? ExitCode.Good : explanation.Verdict is null || explanation.WasCutShort ? ExitCode.Unknown
                : ExitCode.No;
        });
    }

    private static StorePath? NameOf(string text, Store store) => StorePath.TryParseAbsolute(text, out var absolute, out _) ? absolute
        : StorePath.TryParse(text, store, out var bare, out _) || StorePathArgument.TryRead(text, out bare) ? bare : null;

    private static void Show(Explanation explanation, Policy policy, IReadOnlyList<string> troubles)
    {
        if (explanation is { Path: { } path, Verdict: { } verdict })
        {
            Console.WriteLine(path.Absolute);
            Console.WriteLine(PolicyText.Of(policy, policy.ScopeOf(path)));
            var table = new Table().Border(TableBorder.Simple).AddColumns("elector", "operator", "says", "proof", "head", "ms");
            foreach (var answer in verdict.Answers)
            {
                var vote = AnswerText.Of(answer);
                table.AddRow(new[] { vote.Elector, vote.Operator, vote.Says, vote.Proof, vote.Head?.ToString("N0", null) ?? "-",
                    Latency(explanation, answer)?.ToString("N0", null) ?? "-" }.Select(cell => new Text(cell)));
            }

            var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors });
            console.Profile.Width = 200;
            console.Write(table);
        }

        foreach (var trouble in troubles)
        {
            Console.WriteLine(trouble);
        }

        Console.WriteLine($"{explanation.Outcome.Word()}: {explanation.Sentence}");
    }

    private static void Show(IReadOnlyList<RefusedNar> refusedNars, IEnumerable<StorePath> refusedReferences)
    {
        foreach (var nar in refusedNars)
        {
            Console.WriteLine(nar);
        }

        foreach (var reference in refusedReferences)
        {
            Console.WriteLine($"refers to {reference.Absolute}, which is refused; a client fetching this path fails there");
        }
    }

    private static double? Latency(Explanation explanation, Answer answer) =>
        explanation.Latencies.TryGetValue(answer.Elector.Name, out var latency) ? latency.TotalMilliseconds : null;

    private static ExplanationJson Explain(Explanation explanation, Policy policy, IReadOnlyList<UpstreamReport> upstreams) => new(
        explanation.Path?.Absolute,
        explanation.Outcome.Word(),
        explanation.Sentence,
        explanation.Claim?.NarHash.ToString(),
        explanation.Claim?.NarSize,
        explanation.Claim?.References.Select(reference => reference.Absolute),
        explanation.Path is null ? null : PolicyText.Of(policy, policy.ScopeOf(explanation.Path)),
        policy.Identity.ToString(),
        explanation.Verdict?.Answers.Select(answer => (answer, Told: AnswerText.Of(answer)))
            .Select(item => new ExplainedAnswer(
                item.Told.Elector, item.Told.Operator, item.Told.Says, item.Told.Proof, item.Told.Head, Latency(explanation, item.answer))),
        upstreams);
}
