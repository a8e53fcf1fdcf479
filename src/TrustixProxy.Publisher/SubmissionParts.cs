namespace TrustixProxy.Publisher;

/// <summary>Splits statements into parts that a log accepts in one call, by number and size.</summary>
internal static class SubmissionParts
{
    /// <summary>Maximum number of statements per part.</summary>
    public const int MaxCount = 500;

    /// <summary>Approximate maximum size of a part in bytes: half of what our log node accepts in one call.</summary>
    public const int MaxBytes = 8 << 20;

    /// <summary>Splits the statements in order. One larger than <see cref="MaxBytes"/> gets a part of its own.</summary>
    public static IEnumerable<IReadOnlyList<BuildStatement>> Of(IEnumerable<BuildStatement> statements)
    {
        var (part, bytes) = (new List<BuildStatement>(), 0);
        foreach (var statement in statements)
        {
            var size = SizeOf(statement);
            if (part.Count is MaxCount || (part.Count > 0 && bytes + size > MaxBytes))
            {
                yield return part;
                (part, bytes) = ([], 0);
            }

            part.Add(statement);
            bytes += size;
        }

        if (part.Count > 0)
        {
            yield return part;
        }
    }

    /// <summary>Returns the approximate size of a statement in a call, in bytes.</summary>
    public static int SizeOf(BuildStatement statement)
    {
        const int framing = 32, ofReference = 16; // quotes, commas and the store's name
        return framing + (2 * statement.Path.Absolute.Length) + 200
            + statement.References.Sum(reference => reference.ToString().Length + ofReference);
    }
}
