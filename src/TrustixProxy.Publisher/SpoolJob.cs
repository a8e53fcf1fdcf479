using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>One run of the post-build hook: what was built.</summary>
/// <param name="Id">Its files' name in the spool, before the first <c>.</c>: each run's own, with the digest of what was built at its
/// end.</param>
/// <param name="WrittenAt">When the hook wrote it: after its outputs had become valid.</param>
/// <param name="Derivation">What was built (<c>DRV_PATH</c>).</param>
/// <param name="Outputs">What came out (<c>OUT_PATHS</c>); none when Nix did not say, as Debian's 2.8 does not: then all outputs of the
/// derivation.</param>
/// <remarks>The file: a line with the derivation, and one with the outputs parted by spaces; nothing else.</remarks>
internal sealed record SpoolJob(string Id, DateTimeOffset WrittenAt, StorePath Derivation, IReadOnlyList<StorePath> Outputs)
{
    /// <summary>Reads a job's file whole. False, with what is wrong, when it is none.</summary>
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

    /// <summary>Reads what Nix tells a post-build hook. False, with what is wrong, when something in it is no store path.</summary>
    public static bool TryParseEnvironment(
        string? derivation, string? outPaths, [NotNullWhen(true)] out StorePath? path, out IReadOnlyList<StorePath> outputs,
            out string error)
    {
        outputs = [];
        if (!StorePath.TryParseAbsolute(derivation, out path, out var fault))
        {
            error = $"has DRV_PATH '{derivation}', which is no store path ({fault})";
            return false;
        }

        var found = new List<StorePath>();
        foreach (var word in (outPaths ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!StorePath.TryParseAbsolute(word, out var output, out fault))
            {
                error = $"has in OUT_PATHS '{word}', which is no store path ({fault})";
                return false;
            }

            found.Add(output);
        }

        (outputs, error) = ([.. found.Distinct()], "");
        return true;
    }

    /// <summary>The file.</summary>
    public override string ToString() => $"{Derivation.Absolute}\n{string.Join(' ', Outputs.Select(output => output.Absolute))}\n";
}
