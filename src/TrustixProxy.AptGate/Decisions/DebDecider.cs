using System.Collections.Concurrent;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Logging;
using TrustixProxy.Apt;
using TrustixProxy.AptGate.Rebuilders;
using TrustixProxy.Consensus;

namespace TrustixProxy.AptGate.Decisions;

/// <summary>Decides whether a package's file may be served: by what rebuilders sign, and the policy.</summary>
/// <remarks>
/// <code>
/// file name, SHA-256 ──▶ decided a while ago? ──▶ ask all rebuilders at once, one deadline ──▶ no answer could change it: verdict
/// </code>
/// Grants are kept on disk; refusals only in bounded memory, since any client can cause any number.</remarks>
public sealed class DebDecider : IDisposable
{
    /// <summary>How long a refusal stands that may change at once: a client that tries again does not multiply questions.</summary>
    private static readonly TimeSpan Young = TimeSpan.FromSeconds(2);

    private const int MaxInMemory = 4000;

    private readonly Policy _policy;
    private readonly RebuilderPoll _poll;
    private readonly DecisionBook _book;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly MemoryCache _known = new(new MemoryCacheOptions { SizeLimit = MaxInMemory });
    private readonly ConcurrentDictionary<string, Lazy<Task<DebDecision>>> _underway = new(StringComparer.Ordinal);

    /// <param name="policy">The policy.</param>
    /// <param name="poll">Asks the rebuilders.</param>
    /// <param name="book">Keeps grants.</param>
    public DebDecider(Policy policy, RebuilderPoll poll, DecisionBook book, TimeProvider time, ILogger logger)
    {
        (_policy, _poll, _book, _time, _logger) = (policy, poll, book, time, logger);
        poll.Answered += GateMetrics.Answered;
    }

    /// <summary>Raised with each verdict that was reached by asking.</summary>
    public event Action<DebDecision>? Decided;

    /// <summary>Whether a decision is at hand that needs no question.</summary>
    public bool IsWarm(AskedDeb asked) => Recall(asked) is not null;

    /// <summary>Returns the decision on a file at hand, on disk or in memory; null when there is none.</summary>
    public DebDecision? Recall(AskedDeb asked)
    {
        var now = _time.GetUtcNow();
        if (_known.TryGetValue(asked.Text, out DebDecision? known) && known!.IsInForce(now))
        {
            return known;
        }

        if (_book.Find(asked, now) is { } kept)
        {
            Remember(kept);
            return kept;
        }

        return null;
    }

    /// <summary>Decides on a file, once for all who ask.</summary>
    /// <param name="asked">The file's name and SHA-256.</param>
    /// <param name="version">The package's whole version; null when only the file's name is known.</param>
    /// <param name="cancellation">Ends the wait; the decision is made for the next who asks.</param>
    public async Task<DebDecision> DecideAsync(AskedDeb asked, string? version, CancellationToken cancellation) =>
        Recall(asked) ?? await _underway.GetOrAdd(
            asked.Text, _ => new Lazy<Task<DebDecision>>(() => Task.Run(() => PollAsync(asked, version)))).Value.WaitAsync(cancellation);

    /// <inheritdoc/>
    public void Dispose() => _known.Dispose();

    private async Task<DebDecision> PollAsync(AskedDeb asked, string? version)
    {
        try
        {
            if (Recall(asked) is { } known)
            {
                return known; // decided between the look and this poll: rebuilders are asked once
            }

            var start = _time.GetTimestamp();
            var verdict = await _poll.AskAsync(asked, version);
            var now = _time.GetUtcNow();
            var bundle = DebBundle.Of(verdict, now, _policy);
            var decision = new DebDecision(bundle, verdict.MayChange ? now + Young : bundle.ExpiresAt);
            Remember(decision);
            if (verdict.Outcome is Outcome.Agreed or Outcome.Excepted)
            {
                _book.Keep(decision);
            }
            else
            {
                _logger.Refused(verdict.Outcome, asked.Text, verdict.Sentence);
            }

            GateMetrics.Decided(verdict.Outcome, _time.GetElapsedTime(start));
            Decided?.Invoke(decision);
            return decision;
        }
        finally
        {
            _underway.TryRemove(asked.Text, out _);
        }
    }

    private void Remember(DebDecision decision) => _known.Set(decision.Verdict.Asked.Text, decision,
        new MemoryCacheEntryOptions { Size = 1, AbsoluteExpirationRelativeToNow = Max(decision.Until - _time.GetUtcNow()) });

    private static TimeSpan Max(TimeSpan time) => time > TimeSpan.FromSeconds(1) ? time : TimeSpan.FromSeconds(1);
}
