namespace TrustixProxy.Substituter.Substitution;

/// <summary>Status sent when a failed elector or upstream could have changed the outcome.</summary>
public enum OnUndecided
{
    /// <summary>404: the client goes on to its next substituter, or builds.</summary>
    NotFound,

    /// <summary>503: the client retries, then fails.</summary>
    Unavailable,
}

/// <summary>Options of answers to clients.</summary>
public sealed record AnswerOptions
{
    /// <summary>Priority that <c>nix-cache-info</c> states; Nix asks substituters with lower numbers first.</summary>
    public int Priority { get; init; } = 30;

    /// <summary>Status sent when the deadline passes before a decision.</summary>
    public OnUndecided OnUndecided { get; init; }

    /// <summary>What clients of GNU Guix get otherwise; null for clients of Nix.</summary>
    internal GuixAnswers? Guix { get; init; }
}
