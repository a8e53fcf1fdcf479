using System.Collections.Frozen;
using Microsoft.Extensions.Logging;

namespace TrustixProxy.IO.Supervision;

/// <summary>Limits messages that foreign parties can cause at will to one a minute each, and logs how many were suppressed. All other
/// messages pass.</summary>
/// <remarks>Messages are equal if they have the same event, the same log, upstream or peer, and the same reason from a closed set. Paths
/// and foreign texts do not distinguish them.</remarks>
/// <param name="inner">Writes the messages.</param>
/// <param name="events">Names of the events that foreign parties can cause.</param>
public sealed class LimitedLogger(ILogger inner, IEnumerable<string> events, TimeProvider time) : ILogger
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private static readonly FrozenSet<string> Subjects = FrozenSet.Create("Log", "LogId", "Upstream", "Peer", "Procedure", "Loop", "About");

    /// <summary>Maximum number of messages distinguished; further ones are distinguished by event only.</summary>
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

    /// <summary>Returns how many equal messages were suppressed before this one; null when this one is suppressed too.</summary>
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
