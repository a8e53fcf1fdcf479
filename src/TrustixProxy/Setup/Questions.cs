using TrustixProxy.Consensus;
using TrustixProxy.Terminal;

namespace TrustixProxy.Setup;

/// <summary>Asks for what <c>init</c> needs to know, a line for each answer. Questions go to standard error, so that the output stays the
/// result.</summary>
internal sealed class Questions(TextReader answers, TextWriter questions, CancellationToken cancellation)
{
    public static string Presets { get; } = """
        watch         cache.nixos.org's own signature is needed as before, and any log that proves another output refuses. Needs no log.
        home          a majority of the logs that you name must agree. At least two.
        organisation  your builders' logs and cache.nixos.org vote, a majority must agree; for other machines too. At least one log.
        builder       a log of what this machine builds, and its publisher.
        second-voice  cache.nixos.org and some of the rebuilders that you name must agree; at first only reported. At least one rebuilder.
        sources       only content-addressed paths, such as sources, are fetched; all else is built here. Needs nobody.
        farms         for GNU Guix: its two official build farms must agree. Needs nobody else.
        """;

    /// <summary>The preset; null when there are no more answers.</summary>
    /// <param name="proposal">What an empty line means.</param>
    public async Task<Preset?> PresetAsync(Preset proposal)
    {
        questions.WriteLine(Presets);
        while (await AskAsync($"Which of these? [{Kebab.Of(proposal)}] ") is { } answer)
        {
            if (answer.Length is 0 || PresetNames.TryParse(answer, out _))
            {
                return PresetNames.TryParse(answer, out var preset) ? preset : proposal;
            }

            questions.WriteLine($"'{answer}' is not one of them.");
        }

        return null;
    }

    /// <summary>Logs until an empty line.</summary>
    public Task<IReadOnlyList<Voter>> LogsAsync() => VotersAsync("Log", "NAME,URL,PUBLICKEY");

    /// <summary>Rebuilders until an empty line.</summary>
    public Task<IReadOnlyList<Voter>> RebuildersAsync() => VotersAsync("Rebuilder", "NAME,URL,KEY");

    /// <summary>Shows a fetched key; true only if the answer is yes.</summary>
    public async Task<bool> ConfirmsAsync(Voter rebuilder, FetchedKey key)
    {
        questions.WriteLine($"{rebuilder.Name}: {key.Key}");
        questions.WriteLine($"  fingerprint {key.Fingerprint}");
        questions.WriteLine($"  source      {key.Source}");
        questions.WriteLine("Compare the fingerprint with one that the rebuilder gives elsewhere: it could be anybody's key.");
        return await AskAsync($"Is this the key of {rebuilder.Name}? Type yes to write it: ") is "yes";
    }

    private async Task<IReadOnlyList<Voter>> VotersAsync(string what, string form)
    {
        var voters = new List<Voter>();
        while (await AskAsync($"{what} {voters.Count + 1}, as {form} (empty: no more): ") is { Length: > 0 } answer)
        {
            if (Voter.TryParse(answer, out var voter))
            {
                voters.Add(voter);
            }
            else
            {
                questions.WriteLine($"'{answer}' is not {form}.");
            }
        }

        return voters;
    }

    /// <summary>A text; <paramref name="fallback"/> when the line is empty.</summary>
    public async Task<string> TextAsync(string question, string fallback) =>
        await AskAsync($"{question} [{fallback}]: ") is { Length: > 0 } answer ? answer : fallback;

    private Task<string?> AskAsync(string question)
    {
        questions.Write(question);
        return TypedLine.ReadAsync(answers, cancellation);
    }
}
