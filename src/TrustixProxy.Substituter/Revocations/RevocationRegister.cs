using System.Collections.Frozen;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;

namespace TrustixProxy.Substituter.Revocations;

/// <summary>Holds the current revocations. They override every decision, so the serving code checks here last.</summary>
internal sealed class RevocationRegister
{
    private readonly RevocationStore _store;
    private readonly RecordSeal _seal;
    private readonly FrozenDictionary<string, string> _logNames;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly KnownHeads _heads;
    private readonly List<Revocation> _unkept = [];
    private readonly Lock _turn = new();
    private readonly Dictionary<string, Revocation> _latest = [];
    private long _storedCount = -1;
    private volatile StandingRevocations _standing = StandingRevocations.None;

    /// <param name="seal">Seals and opens records.</param>
    /// <param name="logs">Log names by log id.</param>
    /// <param name="heads">The newest known heads.</param>
    /// <exception cref="SqliteException">The revocations cannot be read; nothing may be served then.</exception>
    public RevocationRegister(RevocationStore store, RecordSeal seal, IEnumerable<KeyValuePair<string, string>> logs, TimeProvider time,
        ILogger logger, KnownHeads heads)
    {
        _heads = heads;
        (_store, _seal, _logNames, _time, _logger) = (store, seal, logs.ToFrozenDictionary(), time, logger);
        LookOnDisk();
    }

    /// <summary>Raised when a revocation is issued here or received.</summary>
    public event Action<Revocation>? Taken;

    /// <summary>Heads proven consistent with the heads of revocations.</summary>
    public ProvenHeads ProvenHeads { get; } = new();

    /// <summary>Whether some revocations in force are not on disk yet; writing them is retried.</summary>
    public bool IsAheadOfDisk
    {
        get
        {
            lock (_turn)
            {
                return _unkept.Count > 0;
            }
        }
    }

    /// <summary>Current revocations; the same object until they change.</summary>
    public StandingRevocations Standing => _standing;

    /// <summary>The latest revocation or reversal per subject.</summary>
    public IReadOnlyList<Revocation> Latest
    {
        get
        {
            lock (_turn)
            {
                return [.. _latest.Values];
            }
        }
    }

    /// <summary>Issues a numbered revocation or reversal; null when there is nothing to reverse.</summary>
    public Revocation? Give(RevokedSubject subject, bool isUndone, string reason)
    {
        Revocation given;
        lock (_turn)
        {
            if (isUndone && _latest.GetValueOrDefault(subject.ToString()) is null or { IsUndone: true })
            {
                return null;
            }

            given = new Revocation(
                _latest.Values.Select(known => known.Number).DefaultIfEmpty().Max() + 1, subject, isUndone, reason, _time.GetUtcNow())
            {
                Head = subject is RevokedSubject.Log log && !isUndone ? _heads.HeadOf(log.LogId) : null,
            };
        }

        Take(given);
        return given;
    }

    /// <summary>Adds a revocation read from Redis. The bytes are untrusted: returns false without our seal.</summary>
    public bool Hear(string subject, ReadOnlySpan<byte> bytes, out Revocation? revocation)
    {
        revocation = Revocation.Open(_seal, subject, bytes);
        if (revocation is not null)
        {
            Take(revocation);
        }

        return revocation is not null;
    }

    /// <summary>Retries failed writes and loads revocations that another process has stored.</summary>
    public void LookOnDisk()
    {
        KeepUnkept();
        var count = _store.Count();
        if (Interlocked.Exchange(ref _storedCount, count) != count)
        {
            foreach (var revocation in _store.Load())
            {
                Take(revocation);
            }
        }
    }

    /// <summary>Copies every revocation of the previous register, also those not yet on disk or under another key, so a reload never
    /// un-revokes.</summary>
    public void TakeOver(RevocationRegister before)
    {
        foreach (var revocation in before.Latest)
        {
            Take(revocation);
        }
    }

    private void Take(Revocation revocation)
    {
        lock (_turn)
        {
            var subject = revocation.Subject.ToString();
            if (!revocation.Beats(_latest.GetValueOrDefault(subject)))
            {
                return;
            }

            _latest[subject] = revocation;
            _standing = new StandingRevocations([.. _latest.Values.Where(known => !known.IsUndone)], _logNames);
            Keep(revocation);
        }

        _logger.RevocationTaken(
            revocation.Number, revocation.Subject.ToString(), revocation.IsUndone ? "no longer revoked" : "revoked", revocation.Reason);
        Taken?.Invoke(revocation);
    }

    /// <summary>Retries failed writes, oldest first.</summary>
    private void KeepUnkept()
    {
        lock (_turn)
        {
            while (_unkept.Count > 0 && TryKeep(_unkept[0]))
            {
                _logger.RevocationKept(_unkept[0].Number);
                _unkept.RemoveAt(0);
            }
        }
    }

    /// <summary>Puts a revocation in force, whether or not the write succeeds; a failed write is never dropped.</summary>
    private void Keep(Revocation revocation)
    {
        if (!TryKeep(revocation))
        {
            _unkept.Add(revocation);
        }
    }

    private bool TryKeep(Revocation revocation)
    {
        var refusal = DiskRefusal.Of(() => _store.Keep(revocation));
        if (refusal is not null && !_unkept.Contains(revocation))
        {
            _logger.RevocationNotKept(revocation.Number, refusal);
        }

        return refusal is null;
    }
}
