namespace TrustixProxy.Setup;

/// <summary>Asks for what <c>init</c> needs to know, a line for each answer. Questions go to standard error, so that the output stays the
/// result.</summary>
internal sealed class Questions(TextReader answers, TextWriter questions)
{
    public static string Presets { get; } = """
        watch         cache.nixos.org's own signature is needed as before, and any log that proves another output refuses. Needs no log.
        home          a majority of the logs that you name must agree. At least two.
        organisation  your builders' logs and cache.nixos.org vote, a majority must agree; for other machines too. At least one log.
        builder       a log of what this machine builds, and its publisher.
        """;

    /// <summary>The preset; null when there are no more answers.</summary>
    public Preset? Preset()
    {
        questions.WriteLine(Presets);
        while (Ask("Which of these? ") is { } answer)
        {
            if (PresetNames.TryParse(answer, out var preset))
            {
                return preset;
            }

            questions.WriteLine($"'{answer}' is not one of them.");
        }

        return null;
    }

    /// <summary>Logs until an empty line.</summary>
    public IReadOnlyList<Voter> Logs()
    {
        var logs = new List<Voter>();
        while (Ask($"Log {logs.Count + 1}, as NAME,URL,PUBLICKEY (empty: no more): ") is { Length: > 0 } answer)
        {
            if (Voter.TryParse(answer, out var log))
            {
                logs.Add(log);
            }
            else
            {
                questions.WriteLine($"'{answer}' is not NAME,URL,PUBLICKEY.");
            }
        }

        return logs;
    }

    /// <summary>A text; <paramref name="fallback"/> when the line is empty.</summary>
    public string Text(string question, string fallback) => Ask($"{question} [{fallback}]: ") is { Length: > 0 } answer ? answer : fallback;

    private string? Ask(string question)
    {
        questions.Write(question);
        return answers.ReadLine()?.Trim();
    }
}
