using System.Collections.Frozen;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;

namespace TrustixProxy.Substituter.Revocations;

/// <summary>What is revoked now. It beats every decision, made before or after: whoever serves asks here last.</summary>
internal sealed class RevocationRegister
{
    private readonly RevocationStore _store;
    private readonly RecordSeal _seal;
    private readonly FrozenDictionary<string, string> _logNames;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Func<string, RevokedHead?> _headOf;
    private readonly List<Revocation> _unkept = [];
    private readonly Lock _turn = new();
    private readonly Dictionary<string, Revocation> _latest = [];
    private long _storedCount = -1;
    private volatile StandingRevocations _standing = StandingRevocations.None;

    /// <param name="store">The disk.</param>
    /// <param name="seal">What makes and opens records.</param>
    /// <param name="logs">Names of the logs by their ids.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Where they are told.</param>
    /// <param name="headOf">The newest head that is known of a log, by its id; null when none is.</param>
    /// <exception cref="SqliteException">What was revoked cannot be read: then nothing may be served.</exception>
    public RevocationRegister(RevocationStore store, RecordSeal seal, IEnumerable<KeyValuePair<string, string>> logs, TimeProvider time,
        ILogger logger, Func<string, RevokedHead?> headOf)
    {
        _headOf = headOf;
        (_store, _seal, _logNames, _time, _logger) = (store, seal, logs.ToFrozenDictionary(), time, logger);
        LookOnDisk();
    }

    /// <summary>One was given or heard of.</summary>
    public event Action<Revocation>? Taken;

    /// <summary>Heads that were proven consistent with those of revocations.</summary>
    public ProvenHeads ProvenHeads { get; } = new();

    /// <summary>Whether the disk lacks some that hold here: it refused them, and is tried again.</summary>
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

    /// <summary>What is revoked now; the same object while that is the same.</summary>
    public StandingRevocations Standing => _standing;

    /// <summary>The last word on every subject.</summary>
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

    /// <summary>Gives one, numbered; null when there is nothing to undo.</summary>
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
                Head = subject is RevokedSubject.Log log && !isUndone ? _headOf(log.LogId) : null,
            };
        }

        Take(given);
        return given;
    }

    /// <summary>Takes in what another replica, or whoever can write to Redis, shows: foreign bytes. False when we did not seal
    /// them.</summary>
    public bool Hear(string subject, ReadOnlySpan<byte> bytes, out Revocation? revocation)
    {
        revocation = Revocation.Open(_seal, subject, bytes);
        if (revocation is not null)
        {
            Take(revocation);
        }

        return revocation is not null;
    }

    /// <summary>Writes what the disk has refused, and takes in what another process has put there.</summary>
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

    /// <summary>Takes in all that another register of this process knows, be it that the disk has not taken it or that the key is another
    /// one now: nothing that was revoked is served because of a new configuration.</summary>
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

    /// <summary>Writes again what the disk has refused so far, oldest first.</summary>
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

    /// <summary>It holds whether or not the disk takes it; what the disk refuses is never dropped.</summary>
    private void Keep(Revocation revocation)
    {
        if (!TryKeep(revocation))
        {
            _unkept.Add(revocation);
        }
    }

    private bool TryKeep(Revocation revocation)
    {
        try
        {
            _store.Keep(revocation);
            return true;
        }
        catch (SqliteException exception)
        {
            if (!_unkept.Contains(revocation))
            {
                _logger.RevocationNotKept(revocation.Number, exception.Message);
            }

            return false;
        }
    }
}
