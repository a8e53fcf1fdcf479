using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.Nars;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Substituter.Revocations;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Decides on digests: from memory where a decision stands, otherwise by a poll that all requests share.</summary>
/// <remarks>
/// <code>
/// request ─▶ revoked? ─▶ kept, and stands? ─▶ refused lately? ─▶ <see cref="SharedPolls"/> ─▶ <see cref="OutcomeRecorder"/>
///              refuse       answer              answer             ask everyone once         keep, and settle late answers
/// </code></remarks>
internal sealed class Decider : IDisposable
{
    /// <summary>How long a request for a kept decision waits for another choice of upstream.</summary>
    private static readonly TimeSpan RenewalPatience = TimeSpan.FromSeconds(1);

    private readonly DeciderMemory _memory;
    private readonly AskingBounds _bounds;
    private readonly RevocationRegister _revocations;
    private readonly KnownNames _names = new();
    private readonly DecisionRenewals _renewals;
    private readonly SharedPolls _polls;
    private readonly TimeProvider _time;

    /// <param name="electorate">The electors that are asked, and the policy that judges their answers.</param>
    /// <param name="memory">What was decided before.</param>
    /// <param name="bounds">How often is asked again, and how many paths are decided on at once.</param>
    /// <param name="revocations">Current revocations, which override decisions.</param>
    /// <param name="references">Takes the references of every path that is newly served.</param>
    /// <param name="deadline">How long one request is held.</param>
    /// <param name="logger">Logs refusals and late dissent.</param>
    public Decider(
        Electorate electorate,
        DeciderMemory memory,
        AskingBounds bounds,
        RevocationRegister revocations,
        ReferenceQueue references,
        TimeSpan deadline,
        ILogger logger)
    {
        (_memory, _bounds, _revocations, _time) = (memory, bounds, revocations, electorate.Time);
        _renewals = new DecisionRenewals(electorate, bounds.Again);
        var recorder = new OutcomeRecorder(electorate, memory, references, _names, _renewals, logger);
        _polls = new SharedPolls(electorate, memory, bounds, recorder, _names, deadline, logger);
    }

    /// <summary>How many digests are being decided on now.</summary>
    public int Underway => _bounds.Turns.Taken;

    /// <summary>Decides on a digest. Takes at most the deadline.</summary>
    public ValueTask<Decision> DecideAsync(StorePathDigest digest, CancellationToken cancellation) =>
        DecideAsync(digest, null, cancellation);

    /// <summary>Decides on a digest for a caller that knows its full path.</summary>
    /// <param name="name">The full path, which is asked about; null when the caller knows none. A kept decision on another path does not
    /// stand. With a name, what was agreed is wanted, wherever its NAR is: a kept decision stands while its upstream is down.</param>
    /// <param name="cancellation">Ends the wait, not the poll.</param>
    public async ValueTask<Decision> DecideAsync(StorePathDigest digest, StorePath? name, CancellationToken cancellation)
    {
        if (_revocations.Standing.Find(digest) is { } revocation)
        {
            return Refuse($"{digest}", revocation);
        }

        var known = _memory.Cache.Find(digest);
        var isOfOtherName = name is not null && known?.Record.Claim is { } kept && kept.Path != name;
        if (isOfOtherName)
        {
            _names.Add(name!);
        }

        var isKept = known is not null && !isOfOtherName && !_memory.Refusals.IsWithheld(digest.ToString());
        var stands = isKept && (name is not null || _renewals.Stands(digest, known!));
        var decision = stands ? known! : FindRefusal(digest, known) ?? await PollAsync(digest, known, isKept, cancellation);
        return decision.Record.Claim is { } claim && _revocations.Standing.Find(claim) is { } revoked ? Refuse($"{claim.Path}", revoked)
            : decision;
    }

    /// <summary>Decides before a request comes. A request that comes meanwhile shares the poll.</summary>
    /// <param name="depth">How many references lie between a request and the digest.</param>
    /// <param name="cancellation">Ends the wait, not the poll.</param>
    public Task DecideAheadAsync(StorePathDigest digest, int depth, CancellationToken cancellation) =>
        _memory.Cache.Find(digest) is null && _memory.Refusals.Find(digest) is null
            ? _polls.JoinAsync(digest, null, depth).WaitAsync(cancellation) : Task.CompletedTask;

    /// <summary>Finds a decision that is in memory and stands; null otherwise. Allocates nothing.</summary>
    public Decision? FindWarm(ReadOnlySpan<char> digest)
    {
        var known = PeekWarm(digest);
        if (known is not null)
        {
            DecisionMetrics.LookedUp(CacheTier.Memory, LookupResult.Hit);
        }

        return known;
    }

    /// <summary>As <see cref="FindWarm"/>, for no request: it is not counted.</summary>
    public Decision? PeekWarm(ReadOnlySpan<char> digest)
    {
        if (_memory.Cache.FindInMemory(digest) is not { } known || _memory.Refusals.IsWithheld(digest)
            || !_renewals.Stands(known.Record.Claim!.Path.Digest, known))
        {
            return null;
        }

        var standing = _revocations.Standing;
        return !standing.IsEmpty && (known.Record.Claim is not { } claim || standing.Find(claim) is not null) ? null : known;
    }

    /// <summary>Decides anew in the background because the NAR of the kept decision could not be served: another upstream may have it.
    /// Until then the decision stands.</summary>
    /// <remarks>Acts only on the NAR that the record names, and once a minute per path, so that a request invalidates nothing.</remarks>
    public void Renew(NarOrder order)
    {
        var digest = order.Claim.Path.Digest;
        if (_memory.Cache.Find(digest) is { Record.Hints: { } hints } known && hints.Compression == order.Compression
            && hints.FileHash == order.FileHash && _renewals.TryBegin(digest))
        {
            _ = _polls.JoinAsync(digest, known, 0);
        }
    }

    /// <summary>Finds the evidence of the last decision on a digest, as JSON; null when none is kept.</summary>
    public byte[]? FindBundle(StorePathDigest digest) =>
        _memory.Refusals.Find(digest) is { } refusal ? refusal.Bundle?.Value.ToBytes() : _memory.Cache.FindBundle(digest);

    public void Dispose()
    {
        _names.Dispose();
        _renewals.Dispose();
    }

    /// <summary>Joins the poll on a digest. A kept decision answers if the poll takes long.</summary>
    private async Task<Decision> PollAsync(StorePathDigest digest, Decision? known, bool isKept, CancellationToken cancellation)
    {
        try
        {
            return await _polls.JoinAsync(digest, known, 0)
                .WaitAsync(isKept ? RenewalPatience : Timeout.InfiniteTimeSpan, _time, cancellation);
        }
        catch (TimeoutException)
        {
            return known!;
        }
    }

    /// <summary>Finds the refusal that answers instead of a poll: a fresh one, or an older one when the budget for asking again is spent.
    /// Null when a poll must answer. A refusal for want of an upstream that is back does not wait for the budget.</summary>
    private Decision? FindRefusal(StorePathDigest digest, Decision? known)
    {
        if (_polls.IsUnderway(digest))
        {
            return null; // the request shares that poll
        }

        if (_memory.Refusals.FindAlive(digest) is { } alive)
        {
            return alive.Decision;
        }

        var old = _memory.Refusals.Find(digest)?.Decision ?? known;
        return old is null || _memory.Refusals.IsOver(digest) || _bounds.Again.TryTake() ? null : old;
    }

    private Decision Refuse(string what, Revocation revocation) =>
        _memory.Cache.Render(DecisionRecord.Refusal(Outcome.Revoked, $"{what}: {revocation.Sentence}", revocation.At));
}
