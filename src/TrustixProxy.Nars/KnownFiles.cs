using System.Buffers.Binary;
using Microsoft.Extensions.Caching.Memory;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Redis;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars;

/// <summary>Remembers compressed files that were decompressed once and verified to hold a NAR. A file with such a hash need not be
/// decompressed again.</summary>
/// <remarks>The fact concerns bytes alone, so it holds under any policy at any time. Whether the NAR is agreed on is decided elsewhere,
/// each time. Stores are not trusted: records are sealed. The body is a version byte and the file's length, little-endian; anything else is
/// an unknown file. Replicas share records: <c>f:NARHASH:COMPRESSION:FILEHASH</c> in Redis.</remarks>
public sealed class KnownFiles : IDisposable
{
    private const string Kind = "file";
    private const int BodySize = 9, MaxRecord = 256;
    private const byte FormatVersion = 1;

    /// <summary>How long a record stays on disk after the last verification; an expired file is decompressed again.</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(90);

    private volatile RecordSeal _seal;
    private volatile RedisConnection? _redis;
    private readonly TimeProvider _time;
    private readonly StateDatabase _database;
    private readonly StateWriter _writer;
    private readonly MemoryCache _memory = new(new MemoryCacheOptions { SizeLimit = 20_000 });

    /// <param name="redis">The Redis that replicas share; null without one.</param>
    public KnownFiles(StateWriter state, RecordSeal seal, RedisConnection? redis, TimeProvider time)
    {
        (_writer, _database, _seal, _redis, _time) = (state, state.Database, seal, redis, time);
        _database.Ensure("""
            CREATE TABLE IF NOT EXISTS nar_file (name TEXT PRIMARY KEY, record BLOB NOT NULL, seen_at INTEGER NOT NULL) WITHOUT ROWID;
            CREATE INDEX IF NOT EXISTS nar_file_seen_at ON nar_file (seen_at);
            """);
    }

    /// <summary>Changes how records are sealed and shared. Records in memory were verified, so they stay.</summary>
    public void Use(RecordSeal seal, RedisConnection? redis) => (_seal, _redis) = (seal, redis);

    /// <summary>Finds the file with this hash if this process or a replica knows that it holds the NAR under this compression; else
    /// null.</summary>
    public async ValueTask<KnownFile?> FindAsync(NixHash narHash, string compression, NixHash fileHash)
    {
        var (name, redis) = (NameOf(narHash, compression, fileHash), _redis);
        if (!_memory.TryGetValue(name, out long size) && !TryRead(name, ReadStored(name), out size))
        {
            var shared = redis is null ? default : await redis.ReadAsync(KeyOf(redis, name), MaxRecord);
            var record = shared.Value;
            if (!TryRead(name, record, out size))
            {
                return null;
            }

            Store(name, record!);
        }

        Remember(name, size);
        return new KnownFile(fileHash, size);
    }

    /// <summary>Remembers a file that was decompressed and verified.</summary>
    public void Add(NixHash narHash, string compression, KnownFile file)
    {
        var name = NameOf(narHash, compression, file.Hash);
        var body = new byte[BodySize];
        body[0] = FormatVersion;
        BinaryPrimitives.WriteInt64LittleEndian(body.AsSpan(1), file.Size);
        var record = _seal.Seal(Kind, name, body);
        Remember(name, file.Size);
        Store(name, record);
        if (_redis is { } redis)
        {
            var key = KeyOf(redis, name);
            _ = redis.AskAsync(key, database => database.StringSetAsync(key, record, Lifetime));
        }
    }

    /// <summary>Deletes expired records from disk.</summary>
    public void Prune() =>
        _writer.Write(
        () => _database.Execute("DELETE FROM nar_file WHERE seen_at < $before", (_time.GetUtcNow() - Lifetime).ToUnixTimeMilliseconds()));

    public void Dispose() => _memory.Dispose();

    private static string NameOf(NixHash narHash, string compression, NixHash fileHash) =>
        $"{narHash.Digits} {compression} {fileHash.Digits}";

    private void Remember(string name, long size) => _memory.Set(name, size, new MemoryCacheEntryOptions { Size = 1 });

    private static StackExchange.Redis.RedisKey KeyOf(RedisConnection redis, string name) => redis.Key($"f:{name.Replace(' ', ':')}");

    private void Store(string name, byte[] record) => _writer.Write(() => _database.Execute(
        "INSERT OR REPLACE INTO nar_file (name, record, seen_at) VALUES ($name, $record, $now)", name, record,
            _time.GetUtcNow().ToUnixTimeMilliseconds()));

    private byte[]? ReadStored(string name)
    {
        byte[]? record = null;
        DiskRefusal.Of(() => record = _database.First("SELECT record FROM nar_file WHERE name = $name", row => row.Bytes(0), name));
        return record; // a disk error only costs a decompression
    }

    private bool TryRead(string name, byte[]? record, out long size)
    {
        var isOurs = _seal.TryOpen(Kind, name, record, out var body) && body is [FormatVersion, ..] && body.Length is BodySize;
        size = isOurs ? BinaryPrimitives.ReadInt64LittleEndian(body[1..]) : 0;
        return isOurs;
    }
}
