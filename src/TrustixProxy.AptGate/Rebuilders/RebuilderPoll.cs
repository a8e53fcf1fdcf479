using System.Collections.Immutable;
using TrustixProxy.Apt;
using TrustixProxy.Consensus;

namespace TrustixProxy.AptGate.Rebuilders;

/// <summary>Asks all rebuilders about a file at once, until no missing answer could change the verdict, or the deadline has
/// passed.</summary>
public sealed class RebuilderPoll
{
    private readonly Policy _policy;
    private readonly ImmutableArray<RebuilderClient> _rebuilders;
    private readonly TimeSpan _deadline;
    private readonly TimeProvider _time;

    /// <param name="policy">The policy, whose electors the rebuilders are.</param>
    /// <param name="deadline">Maximum time to wait for them.</param>
    public RebuilderPoll(Policy policy, IEnumerable<RebuilderClient> rebuilders, TimeSpan deadline, TimeProvider time) =>
        (_policy, _rebuilders, _deadline, _time) = (policy, [.. rebuilders], deadline, time);

    /// <summary>Raised with each answer: the rebuilder's name, and its ballot.</summary>
    public event Action<string, DebBallot>? Answered;

    /// <summary>Asks about a file.</summary>
    /// <param name="version">The package's whole version; null when only the file's name is known.</param>
    public async Task<DebVerdict> AskAsync(AskedDeb asked, string? version)
    {
        var limit = new CancellationTokenSource(_deadline, _time);
        var ballots = new Dictionary<string, DebBallot>(StringComparer.Ordinal);
        var asking = _rebuilders.Select(rebuilder => AskAsync(rebuilder, asked, version, limit.Token)).ToList();
        DebVerdict? verdict;
        while (!DebVerdict.TryDecide(_policy, asked, ballots, _time.GetUtcNow(), out verdict) && asking.Count > 0)
        {
            var answered = await Task.WhenAny(asking);
            asking.Remove(answered);
            var (name, ballot) = await answered;
            ballots[name] = ballot;
        }

        _ = EndAsync(limit, asking);
        return verdict ?? DebVerdict.Decide(_policy, asked, ballots, _time.GetUtcNow());
    }

    private async Task<(string Name, DebBallot Ballot)> AskAsync(
        RebuilderClient rebuilder, AskedDeb asked, string? version, CancellationToken limit)
    {
        var name = rebuilder.Options.Elector.Name;
        DebBallot ballot;
        try
        {
            ballot = await rebuilder.AskAsync(asked, version, limit);
        }
        catch (OperationCanceledException)
        {
            ballot = new DebBallot.Silent(SilenceReason.NoAnswer);
        }

        Answered?.Invoke(name, ballot);
        return (name, ballot);
    }

    /// <summary>Lets late answers come: to break a request off would count as its server's silence.</summary>
    private static async Task EndAsync(CancellationTokenSource limit, IEnumerable<Task> asking)
    {
        await Task.WhenAll(asking).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        limit.Dispose();
    }
}
