using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Consensus;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Substituter.Revocations;

namespace TrustixProxy.Substituter.Inspection;

/// <summary>What came of asking everyone about a path, to the end.</summary>
/// <param name="Outcome">The word that would stand in <c>X-Trustix-Decision</c>.</param>
/// <param name="Sentence">The reason in one line.</param>
/// <param name="Claim">What would be served; null for a refusal.</param>
/// <param name="Path">The path that electors were asked about; null when no name is known for the digest.</param>
/// <param name="Verdict">What their answers come to; null when nobody could be asked.</param>
/// <param name="Latencies">How long each elector took to its last word, by name.</param>
/// <param name="Bundle">All of it for others to check; null when nobody could be asked.</param>
/// <param name="WasCutShort">Whether someone who failed to answer in time could have changed it.</param>
public sealed record Explanation(
    string Outcome, string Sentence, OutputClaim? Claim, StorePath? Path, Verdict? Verdict, IReadOnlyDictionary<string, TimeSpan> Latencies,
        DecisionBundle? Bundle, bool WasCutShort);

/// <summary>How an upstream, or a signed cache that votes, did when it was asked.</summary>
/// <param name="Name">Its name.</param>
/// <param name="State"><c>live</c>, <c>failing</c>, <c>away</c>, or <c>unknown</c> where it was not asked.</param>
/// <param name="Since">Since when it is failing or away.</param>
/// <param name="Why">The first cause of that, and what helps.</param>
public sealed record UpstreamReport(string Name, string State, DateTimeOffset? Since, string? Why)
{
    /// <inheritdoc/>
    public override string ToString() =>
        $"{Name}: {State}{(Since is { } at ? $" since {at.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}" : "")}{(Why is null ? "" : $" ({Why})")}";
}

/// <summary>Decides as the proxy does, over the same state, for whoever wants to know why.</summary>
/// <param name="options">What the proxy is told.</param>
/// <param name="time">The clock; the system's when null.</param>
public sealed class Explainer(SubstituterOptions options, TimeProvider? time = null) : IDisposable
{
    private const int ReferencesAtOnce = 16;

    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly ProxyParts _parts = new(options with { Redis = null }, NullLogger.Instance, time ?? TimeProvider.System);

    /// <summary>Asks everyone anew and waits for all of them, for twice the deadline at the most. Nothing of it is remembered.</summary>
    /// <param name="digest">The path's digest.</param>
    /// <param name="name">The whole path; null when it is not known.</param>
    /// <param name="isHasty">Whether each is asked once, and one that fails is not asked again: for many paths at once.</param>
    public async Task<Explanation> ExplainAsync(StorePathDigest digest, StorePath? name, bool isHasty = false)
    {
        var deliberation = _parts.Electorate.Poll(digest, options.Deadline, isHasty);
        Settlement? settlement = null;
        await deliberation.RunAsync(name is null ? [] : [name], settled => settlement = settled);
        var outcome = await deliberation.Outcome;
        var (record, path, verdict) = settlement is { Contesting.IsEmpty: false } ? Contest() : Conclude(outcome, settlement?.All);
        var bundle = path is null || verdict is null ? null : DecisionBundle.Of(path, record, verdict, options.Policy);
        var revocation = record.Claim is null ? _parts.Revocations.Standing.Find(digest) : _parts.Revocations.Standing.Find(record.Claim);
        if (revocation is not null)
        {
            record = DecisionRecord.Refusal("revoked", $"{revocation.Sentence}; else: {record.Sentence}", revocation.At);
        }

        return new Explanation(
            record.Outcome, record.Sentence, record.Claim, path, verdict, deliberation.LatenciesOf(path), bundle,
                outcome is Outcome.Refused { WasCutShort: true });
    }

    /// <summary>How the upstreams and signed caches did, as far as they were asked.</summary>
    public IReadOnlyList<UpstreamReport> Upstreams =>
    [
        .. _parts.Upstreams.Select(upstream => (upstream.Options.Name, Upstream: upstream))
            .Concat(_parts.CacheSources.Select(cache => (cache.Elector.Name, Upstream: cache.Source)))
            .DistinctBy(item => item.Upstream)
            .Select(item => (item.Name, item.Upstream.Health.Status))
            .Select(item => new UpstreamReport(item.Name, Kebab.Of(item.Status.State), item.Status.Since, item.Status.Why)),
    ];

    /// <summary>NARs that the proxy which runs over the same state has refused, the newest first; empty where none runs, or one of another
    /// version.</summary>
    /// <param name="path">Of which path; null for all paths.</param>
    /// <param name="cancellation">Ends the asking.</param>
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
            return []; // it stops just now
        }
    }

    /// <summary>Which references of a path would be refused; each is asked about once.</summary>
    /// <param name="claim">What the path is agreed to be.</param>
    public async Task<IReadOnlyList<StorePath>> FindRefusedReferencesAsync(OutputClaim claim)
    {
        var refused = new ConcurrentBag<StorePath>();
        var limits = new ParallelOptions { MaxDegreeOfParallelism = ReferencesAtOnce };
        await Parallel.ForEachAsync(claim.References.Where(reference => reference != claim.Path), limits, async (reference, _) =>
        {
            var examination = await ExplainAsync(reference.Digest, reference, isHasty: true);
            if (examination.Claim?.Path != reference)
            {
                refused.Add(reference);
            }
        });
        return [.. claim.References.Where(refused.Contains)];
    }

    /// <inheritdoc/>
    public void Dispose() => _parts.Dispose();

    private (DecisionRecord Record, StorePath? Path, Verdict? Verdict) Contest() =>
        (DecisionRecord.Refusal("conflict", "more than one name of this digest is granted; run explain again for the "
            + "votes", _time.GetUtcNow()),
            null, null);

    /// <summary>The outcome, with all answers that came to the same after it.</summary>
    private (DecisionRecord Record, StorePath? Path, Verdict? Verdict) Conclude(Outcome outcome, Verdict? all)
    {
        var now = _time.GetUtcNow();
        return outcome switch
        {
            Outcome.Served served when all?.Granted == served.Record.Claim =>
                (DecisionRecord.Of(all!, served.Record.Hints!, now), served.Record.Claim!.Path, all),
            Outcome.Served served => (served.Record, served.Record.Claim!.Path, served.Verdict),
            Outcome.Refused refused when all is not null && all.Outcome == refused.Word =>
                (DecisionRecord.Refusal(refused.Word, all.Sentence, now), refused.Path, all),
            Outcome.Refused refused => (DecisionRecord.Refusal(refused.Word, refused.Sentence, now), refused.Path, all ?? refused.Verdict),
            _ => throw new System.Diagnostics.UnreachableException(),
        };
    }
}
