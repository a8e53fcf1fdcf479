namespace TrustixProxy.Publisher;

/// <summary>Parts statements so that a log takes each part in one call: by number, and by bytes.</summary>
internal static class SubmissionParts
{
    /// <summary>The most statements of a part.</summary>
    public const int MaxCount = 500;

    /// <summary>About the most bytes of a part: half of what our log node takes in one call.</summary>
    public const int MaxBytes = 8 << 20;

    /// <summary>The statements in their order. One that has more than <see cref="MaxBytes"/> is a part of its own.</summary>
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

    /// <summary>About how many bytes a statement takes in a call.</summary>
    public static int SizeOf(BuildStatement statement)
    {
        const int framing = 32, ofReference = 16; // of quotes, commas and the store's name
        return framing + (2 * statement.Path.Absolute.Length) + 200
            + statement.References.Sum(reference => reference.ToString().Length + ofReference);
    }
}
