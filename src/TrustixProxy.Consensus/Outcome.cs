namespace TrustixProxy.Consensus;

/// <summary>What is decided on a path. Headers, metrics, bundles and stored records hold its <see cref="OutcomeWords.Word"/>.</summary>
public enum Outcome
{
    /// <summary>A quorum claims the same; it is served with our signature.</summary>
    Agreed,

    /// <summary>An exception of the policy determines the claim; it is served with our signature.</summary>
    Excepted,

    /// <summary>The content address makes the path; it is served without our signature.</summary>
    ContentAddressed,

    /// <summary>Report mode serves what the fallback signed.</summary>
    Report,

    /// <summary>No decision: it cancels those made before it.</summary>
    Void,

    /// <summary>Different outputs or names are proven, and none prevails.</summary>
    Conflict,

    /// <summary>No output is proven by a quorum.</summary>
    Undecided,

    /// <summary>No upstream has the path or its NAR.</summary>
    NoUpstream,

    /// <summary>An operator revoked the path, its NAR or a head it rests on.</summary>
    Revoked,
}

/// <summary>Maps outcomes to the words on the wire and on disk, and back.</summary>
public static class OutcomeWords
{
    private static readonly Outcome[] All = Enum.GetValues<Outcome>();

    /// <summary>The word sent in <c>X-Trustix-Decision</c>.</summary>
    public static string Word(this Outcome outcome) => outcome switch
    {
        Outcome.Agreed => "agreed",
        Outcome.Excepted => "excepted",
        Outcome.ContentAddressed => "content-addressed",
        Outcome.Report => "report",
        Outcome.Void => "void",
        Outcome.Conflict => "conflict",
        Outcome.Undecided => "undecided",
        Outcome.NoUpstream => "no-upstream",
        Outcome.Revoked => "revoked",
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    /// <summary>Reads a word exactly as <see cref="Word"/> writes it.</summary>
    public static bool TryParse(string word, out Outcome outcome)
    {
        var index = Array.FindIndex(All, known => known.Word() == word);
        outcome = index < 0 ? default : All[index];
        return index >= 0;
    }
}
