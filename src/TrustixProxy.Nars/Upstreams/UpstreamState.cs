namespace TrustixProxy.Nars.Upstreams;

/// <summary>How an upstream is doing.</summary>
public enum UpstreamState
{
    /// <summary>It was never asked.</summary>
    Unknown,

    /// <summary>It answers.</summary>
    Live,

    /// <summary>It is asked, and its last answers were failures or of no use.</summary>
    Failing,

    /// <summary>It has nothing for now: it is not asked, but probed in the background until it answers.</summary>
    Away,
}

/// <summary>How an upstream is doing at one moment, since when, and why.</summary>
/// <param name="State">Its state.</param>
/// <param name="Since">When it left the last good state; null in good ones.</param>
/// <param name="Cause">The first real failure since then; null in good states.</param>
/// <param name="Latest">The latest failure, where it is another one; else null.</param>
public sealed record UpstreamStatus(
    UpstreamState State, DateTimeOffset? Since = null, UpstreamFault? Cause = null, UpstreamFault? Latest = null)
{
    /// <summary>Whether it is asked.</summary>
    public bool IsAway => State is UpstreamState.Away;

    /// <summary>The cause, and what it has become since, with what helps; null in good states.</summary>
    public string? Why => Cause is null ? null : Latest is null ? $"{Cause}" : $"{Cause.Word}, by now {Latest}";

    /// <summary>The state in a few words: <c>away since 2026-11-28T18:00:00Z (connection-refused)</c>.</summary>
    public override string ToString()
    {
        var since = Since is { } at ? $" since {at.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}" : "";
        return $"{Consensus.Kebab.Of(State)}{since}{(Why is { } why ? $" ({why})" : "")}";
    }
}
