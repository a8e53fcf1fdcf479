using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using TrustixProxy.IO.Connections;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Wanted;

/// <summary>A wanted path and who asked for it.</summary>
/// <param name="AskedAt">When a client last asked for it, to the hour at least.</param>
internal sealed record WantedRow(WantedPath Wanted, ClientSketch Clients, DateTimeOffset AskedAt);

/// <summary>The undecided paths that clients asked for: a table of fixed size. When it is full, those that the fewest clients asked for
/// make room, the oldest first.</summary>
/// <remarks>Only paths that a poll found named come here, so random digests leave no trace. Each client address counts once per
/// path.</remarks>
/// <param name="key">Secret key of the clients' hashes; the hashes tell nobody without it who asked.</param>
internal sealed class WantedTable(byte[] key, TimeProvider time)
{
    /// <summary>Maximum number of paths.</summary>
    public const int Capacity = 2000;

    /// <summary>How long a path is kept that nobody asks for any more.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromDays(30);

    /// <summary>How precisely the time of the last request is kept, so that repeated requests change nothing.</summary>
    private static readonly TimeSpan Precision = TimeSpan.FromHours(1);

    private readonly Lock _turn = new();
    private readonly Dictionary<StorePathDigest, WantedRow> _rows = [];
    private long _version;
    private long _turns = RandomNumberGenerator.GetInt32(int.MaxValue); // replicas, and a process after a restart, give other turns

    /// <summary>Incremented by every change.</summary>
    public long Version => Interlocked.Read(ref _version);

    /// <summary>Returns the rows, in no order.</summary>
    public IReadOnlyList<WantedRow> Rows
    {
        get
        {
            lock (_turn)
            {
                return [.. _rows.Values];
            }
        }
    }

    /// <summary>Numbers the readers of the list, from 0, so that rebuilders begin at different paths.</summary>
    public long TakeTurn() => Interlocked.Increment(ref _turns) - 1;

    /// <summary>Records that a client asked for an undecided path.</summary>
    public void Ask(WantedPath wanted, ClientAddress client)
    {
        var (digest, hash, now) = (wanted.Path.Digest, HashOf(wanted.Path, client), time.GetUtcNow());
        lock (_turn)
        {
            var known = _rows.GetValueOrDefault(digest);
            var clients = (known?.Clients ?? ClientSketch.Empty).With(hash);
            if (known is not null && known.Clients == clients && known.Wanted.IsSame(wanted)
                && (now - known.AskedAt).Duration() < Precision)
            {
                return;
            }

            if (known is null && _rows.Count >= Capacity)
            {
                MakeRoom();
            }

            _rows[digest] = new WantedRow(wanted, clients, now);
            _version++;
        }
    }

    /// <summary>Removes a digest that was decided.</summary>
    public void Settle(StorePathDigest digest)
    {
        lock (_turn)
        {
            _version += _rows.Remove(digest) ? 1 : 0;
        }
    }

    /// <summary>Removes private names, and paths that nobody asks for any more.</summary>
    public void Prune(PrivateNames names)
    {
        var now = time.GetUtcNow();
        lock (_turn)
        {
            foreach (var (digest, row) in _rows.ToList())
            {
                if (now - row.AskedAt > Lifetime || names.Show(row.Wanted) is not { } shown)
                {
                    _rows.Remove(digest);
                    _version++;
                }
                else if (!shown.IsSame(row.Wanted))
                {
                    _rows[digest] = row with { Wanted = shown };
                    _version++;
                }
            }
        }
    }

    /// <summary>Adds the rows of an earlier process; a path that is in the table already stays as it is.</summary>
    public void Restore(IEnumerable<WantedRow> rows)
    {
        lock (_turn)
        {
            foreach (var row in rows.Take(Capacity - _rows.Count))
            {
                _rows.TryAdd(row.Wanted.Path.Digest, row);
            }
        }
    }

    /// <summary>Removes a tenth at once, so that a flood of paths costs little each.</summary>
    private void MakeRoom()
    {
        var order = _rows.OrderBy(row => row.Value.Clients.Count).ThenBy(row => row.Value.AskedAt).Select(row => row.Key);
        foreach (var digest in order.Take(Capacity / 10).ToList())
        {
            _rows.Remove(digest);
        }
    }

    private ulong HashOf(StorePath path, ClientAddress client)
    {
        byte[] subject = [.. client.ToBytes(), .. Encoding.ASCII.GetBytes(path.ToString())];
        return BinaryPrimitives.ReadUInt64BigEndian(HMACSHA256.HashData(key, subject));
    }
}
