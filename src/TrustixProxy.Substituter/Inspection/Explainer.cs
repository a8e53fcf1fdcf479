using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Consensus;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Substituter.Revocations;

namespace TrustixProxy.Substituter.Inspection;

/// <summary>Final result of polling all electors about a path.</summary>
/// <param name="Outcome">What would be decided.</param>
/// <param name="Sentence">The reason in one line.</param>
/// <param name="Claim">What would be served; null for a refusal.</param>
/// <param name="Path">The path electors were asked about; null if the digest has no known name.</param>
/// <param name="Verdict">Verdict on their answers; null if no elector could be asked.</param>
/// <param name="Latencies">Time to each elector's latest answer, by name.</param>
/// <param name="Bundle">Bundle for independent verification; null if no elector could be asked.</param>
/// <param name="WasCutShort">Whether an elector that missed the deadline could have changed it.</param>
public sealed record Explanation(
    Outcome Outcome, string Sentence, OutputClaim? Claim, StorePath? Path, Verdict? Verdict,
        IReadOnlyDictionary<string, TimeSpan> Latencies, DecisionBundle? Bundle, bool WasCutShort);

/// <summary>State of an upstream or voting cache after a poll.</summary>
/// <param name="State"><c>live</c>, <c>failing</c>, <c>away</c>, or <c>unknown</c> if it was not queried.</param>
/// <param name="Since">Start of failing or away.</param>
/// <param name="Why">First cause and remedy.</param>
public sealed record UpstreamReport(string Name, string State, DateTimeOffset? Since, string? Why)
{
    /// <inheritdoc/>
    public override string ToString() =>
        $"{Name}: {State}{(Since is { } at ? $" since {at.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}" : "")}{(Why is null ? "" : $" ({Why})")}";
}

/// <summary>A log whose votes do not count because too few of its demanded witnesses have lately seen its head.</summary>
/// <param name="Since">Since when.</param>
/// <param name="Why">What is wrong, which witnesses are missing, and what helps.</param>
public sealed record UnwitnessedLog(string Name, DateTimeOffset Since, string Why)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Name}: {new WitnessGap(Since, Why)}";
}

/// <summary>Decides like the proxy, over the same state, to explain the outcome.</summary>
/// <param name="options">The proxy's configuration.</param>
public sealed class Explainer(SubstituterOptions options, TimeProvider? time = null) : IDisposable
{
    private const int ReferencesAtOnce = 16;

    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly ProxyParts _parts = new(options with { Redis = null }, NullLogger.Instance, time ?? TimeProvider.System);

    /// <summary>Polls all electors and waits for all answers, at most twice the deadline. Nothing is stored.</summary>
    /// <param name="name">The whole path; null if unknown.</param>
    /// <param name="isHasty">Whether each elector is queried once, without retries; for many paths at once.</param>
    public async Task<Explanation> ExplainAsync(StorePathDigest digest, StorePath? name, bool isHasty = false)
    {
        var deliberation = _parts.Electorate.Poll(digest, options.Deadline, isHasty);
        Settlement? settlement = null;
        await deliberation.RunAsync(name is null ? [] : [name], settled => settlement = settled);
        var result = await deliberation.Result;
        var (record, path, verdict) = settlement is { Contesting.IsEmpty: false } ? Contest() : Conclude(result, settlement?.All);
        var bundle = path is null || verdict is null ? null : DecisionBundle.Of(path, record, verdict, options.Policy);
        var revocation = record.Claim is null ? _parts.Revocations.Standing.Find(digest) : _parts.Revocations.Standing.Find(record.Claim);
        if (revocation is not null)
        {
            record = DecisionRecord.Refusal(Outcome.Revoked, $"{revocation.Sentence}; else: {record.Sentence}", revocation.At);
        }

        return new Explanation(
            record.Outcome, record.Sentence, record.Claim, path, verdict, deliberation.LatenciesOf(path), bundle,
                result is PollResult.Refused { WasCutShort: true });
    }

    /// <summary>Returns the states of the upstreams and signed caches queried so far.</summary>
    public IReadOnlyList<UpstreamReport> Upstreams =>
    [
        .. _parts.Upstreams.Select(upstream => (upstream.Options.Name, Upstream: upstream))
            .Concat(_parts.FileSources.Select(file => (file.Elector.Name, Upstream: file.Source)))
            .DistinctBy(item => item.Upstream)
            .Select(item => (item.Name, item.Upstream.Health.Status))
            .Select(item => new UpstreamReport(item.Name, Kebab.Of(item.Status.State), item.Status.Since, item.Status.Why)),
    ];

    /// <summary>Returns the logs queried so far whose heads are unwitnessed.</summary>
    public IReadOnlyList<UnwitnessedLog> Unwitnessed =>
        [.. _parts.Logs.Where(log => log.Witnesses?.Gap is not null).Select(log => (log.Name, Gap: log.Witnesses!.Gap!))
            .Select(item => new UnwitnessedLog(item.Name, item.Gap.Since, item.Gap.Why))];

    /// <summary>Returns NARs refused by the proxy running over this state, newest first; empty if none runs, or one of another
    /// version.</summary>
    /// <param name="path">The path; null for all paths.</param>
    public async Task<IReadOnlyList<RefusedNar>> FindRefusedNarsAsync(StorePath? path, CancellationToken cancellation)
    {
        var request = new ControlRequest("nars", path?.ToString() ?? "", "", IsUndone: false);
        try
        {
            var reply = await ControlSocket.AskAsync(Path.Combine(options.StateDirectory, ControlSocket.FileName), request, cancellation);
            return reply?.Nars ?? [];
        }
        catch (Exception exception) when (exception is IOException or JsonException)
        {
            return []; // it is just stopping
        }
    }

    /// <summary>Finds the references of a path that would be refused; polls once for each.</summary>
    public async Task<IReadOnlyList<StorePath>> FindRefusedReferencesAsync(OutputClaim claim)
    {
        var refused = new ConcurrentBag<StorePath>();
        var limits = new ParallelOptions { MaxDegreeOfParallelism = ReferencesAtOnce };
        await Parallel.ForEachAsync(claim.References.Where(reference => reference != claim.Path), limits, async (reference, _) =>
        {
            var explanation = await ExplainAsync(reference.Digest, reference, isHasty: true);
            if (explanation.Claim?.Path != reference)
            {
                refused.Add(reference);
            }
        });
        return [.. claim.References.Where(refused.Contains)];
    }

    /// <inheritdoc/>
    public void Dispose() => _parts.Dispose();

    private (DecisionRecord Record, StorePath? Path, Verdict? Verdict) Contest() =>
        (DecisionRecord.Refusal(Outcome.Conflict, "more than one name of this digest is granted; run explain again for the "
            + "votes", _time.GetUtcNow()),
            null, null);

    /// <summary>Returns the outcome, with all later answers that agree.</summary>
    private (DecisionRecord Record, StorePath? Path, Verdict? Verdict) Conclude(PollResult result, Verdict? all)
    {
        var now = _time.GetUtcNow();
        return result switch
        {
            PollResult.Served served when all?.Granted == served.Record.Claim =>
                (DecisionRecord.Of(all!, served.Record.Hints!, now), served.Record.Claim!.Path, all),
            PollResult.Served served => (served.Record, served.Record.Claim!.Path, served.Verdict),
            PollResult.Refused refused when all is not null && all.Outcome == refused.Outcome =>
                (DecisionRecord.Refusal(refused.Outcome, all.Sentence, now), refused.Path, all),
            PollResult.Refused refused =>
                (DecisionRecord.Refusal(refused.Outcome, refused.Sentence, now), refused.Path, all ?? refused.Verdict),
            _ => throw new System.Diagnostics.UnreachableException(),
        };
    }
}
