namespace TrustixProxy.Nars.Upstreams;

/// <summary>The state of an upstream.</summary>
public enum UpstreamState
{
    /// <summary>Never asked.</summary>
    Unknown,

    /// <summary>Answers.</summary>
    Live,

    /// <summary>Asked, but its last answers were failures or useless.</summary>
    Failing,

    /// <summary>Not asked; probed in the background until it answers.</summary>
    Away,
}

/// <summary>The status of an upstream: its state, since when, and why.</summary>
/// <param name="Since">When it left the last good state; null in good states.</param>
/// <param name="Cause">The first real failure since then; null in good states.</param>
/// <param name="Latest">The latest failure, if it differs; else null.</param>
public sealed record UpstreamStatus(
    UpstreamState State, DateTimeOffset? Since = null, UpstreamFault? Cause = null, UpstreamFault? Latest = null)
{
    /// <summary>Whether it is away.</summary>
    public bool IsAway => State is UpstreamState.Away;

    /// <summary>The cause, the latest failure and the remedy; null in good states.</summary>
    public string? Why => Cause is null ? null : Latest is null ? $"{Cause}" : $"{Cause.Word}, by now {Latest}";

    /// <summary>Returns the state in a few words: <c>away since 2026-11-28T18:00:00Z (connection-refused)</c>.</summary>
    public override string ToString()
    {
        var since = Since is { } at ? $" since {at.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}" : "";
        return $"{Consensus.Kebab.Of(State)}{since}{(Why is { } why ? $" ({why})" : "")}";
    }
}
