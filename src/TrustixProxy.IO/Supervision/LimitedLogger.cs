using System.Collections.Frozen;
using Microsoft.Extensions.Logging;

namespace TrustixProxy.IO.Supervision;

/// <summary>Writes messages that others can cause as often as they like at most once a minute each, and says how many were left out. All
/// other messages pass.</summary>
/// <remarks>Two messages are equal when they are of one event and about the same log, upstream or peer, and give the same reason out of a
/// closed set.
/// Paths, and texts that others write, do not tell them apart.</remarks>
/// <param name="inner">Writes the messages.</param>
/// <param name="events">The names of the events that others can cause.</param>
public sealed class LimitedLogger(ILogger inner, IEnumerable<string> events, TimeProvider time) : ILogger
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private static readonly FrozenSet<string> Subjects = FrozenSet.Create("Log", "LogId", "Upstream", "Peer", "Procedure", "Loop", "About");

    /// <summary>The most messages that are told apart; those beyond are told apart by their event alone.</summary>
    private const int MaxAccounts = 1000;

    private readonly FrozenSet<string> _events = events.ToFrozenSet(StringComparer.Ordinal);
    private readonly Lock _turn = new();
    private readonly Dictionary<string, Account> _accounts = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => inner.BeginScope(state);

    /// <inheritdoc/>
    public bool IsEnabled(LogLevel logLevel) => inner.IsEnabled(logLevel);

    /// <inheritdoc/>
    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (eventId.Name is not { } name || !_events.Contains(name))
        {
            inner.Log(logLevel, eventId, state, exception, formatter);
        }
        else if (inner.IsEnabled(logLevel) && Take(name, SubjectOf(state)) is { } leftOut)
        {
            inner.Log(logLevel, eventId, state, exception, formatter);
            if (leftOut > 0)
            {
                inner.MessagesLeftOut(leftOut);
            }
        }
    }

    private static string SubjectOf<TState>(TState state) => state is not IReadOnlyList<KeyValuePair<string, object?>> values ? ""
        : string.Join(' ', values.Where(value => value.Value is Enum || Subjects.Contains(value.Key)).Select(value => value.Value));

    /// <summary>How many equal messages were left out before this one; null when this one is left out, too.</summary>
    private long? Take(string name, string subject)
    {
        lock (_turn)
        {
            var (now, key) = (time.GetTimestamp(), $"{name} {subject}");
            if (!_accounts.ContainsKey(key) && _accounts.Count >= MaxAccounts)
            {
                key = name;
            }

            if (_accounts.TryGetValue(key, out var account) && time.GetElapsedTime(account.At, now) < Interval)
            {
                account.LeftOut++;
                return null;
            }

            _accounts[key] = new Account(now);
            return account?.LeftOut ?? 0;
        }
    }

    private sealed class Account(long at)
    {
        public long At => at;

        public long LeftOut { get; set; }
    }
}
