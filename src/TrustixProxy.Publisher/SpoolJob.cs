using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>One run of the post-build hook.</summary>
/// <param name="Id">Prefix of its file names in the spool, before the first <c>.</c>: unique per run, ending in the derivation's
/// digest.</param>
/// <param name="WrittenAt">When the hook wrote it, after its outputs became valid.</param>
/// <param name="Derivation">The built derivation (<c>DRV_PATH</c>).</param>
/// <param name="Outputs">The outputs (<c>OUT_PATHS</c>); empty when Nix did not say, as in Debian's 2.8: then all outputs of the
/// derivation.</param>
/// <remarks>The file has one line with the derivation, and one with the outputs separated by spaces; nothing else.</remarks>
internal sealed record SpoolJob(string Id, DateTimeOffset WrittenAt, StorePath Derivation, IReadOnlyList<StorePath> Outputs)
{
    /// <summary>Parses a whole job file; false, with the reason, when it is invalid.</summary>
    public static bool TryParse(string id, DateTimeOffset writtenAt, string text, [NotNullWhen(true)] out SpoolJob? job, out string error)
    {
        job = null;
        var lines = text.Split('\n');
        if (lines is not [var first, var second, ""])
        {
            error = $"has {lines.Length - 1} lines; a job has a derivation on the first and its outputs on the second";
        }
        else if (TryParseEnvironment(first, second, out var derivation, out var outputs, out error))
        {
            job = new SpoolJob(id, writtenAt, derivation, outputs);
        }

        return job is not null;
    }

    /// <summary>Parses the environment of a post-build hook; false, with the reason, when an entry is not a store path.</summary>
    public static bool TryParseEnvironment(
        string? derivation, string? outPaths, [NotNullWhen(true)] out StorePath? path, out IReadOnlyList<StorePath> outputs,
            out string error)
    {
        outputs = [];
        if (!StorePath.TryParseAbsolute(derivation, out path, out var fault))
        {
            error = $"has DRV_PATH '{derivation}', which is not a store path ({fault})";
            return false;
        }

        var found = new List<StorePath>();
        foreach (var word in (outPaths ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!StorePath.TryParseAbsolute(word, out var output, out fault))
            {
                error = $"has in OUT_PATHS '{word}', which is not a store path ({fault})";
                return false;
            }

            found.Add(output);
        }

        (outputs, error) = ([.. found.Distinct()], "");
        return true;
    }

    /// <summary>Returns the file's text.</summary>
    public override string ToString() => $"{Derivation.Absolute}\n{string.Join(' ', Outputs.Select(output => output.Absolute))}\n";
}
