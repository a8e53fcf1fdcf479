using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Caching.Memory;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Operations;

namespace TrustixProxy.Substituter.Upstreams;

/// <summary>Compressed files that were once decompressed and seen to hold a NAR, to the last byte: whatever has their hash holds it too, and need not be decompressed again.</summary>
/// <remarks>A fact about bytes, true under any policy and at any time; whether the NAR is agreed on is asked elsewhere, each time. No store is trusted: 32 bytes HMAC-SHA256 over kind, name and body,
/// under a key derived from the signing key; the body is a version byte and the file's length, little-endian. Anything else is a file that is not known.</remarks>
internal sealed class KnownFiles : IDisposable
{
    private const int MacSize = 32, BodySize = 9;
    private const byte FormatVersion = 1;

    /// <summary>How long a file stays on disk after it was last found good; one that is gone is decompressed again.</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(90);

    private readonly byte[] _key;
    private readonly TimeProvider _time;
    private readonly StateDatabase _database;
    private readonly StateWriter _writer = new();
    private readonly MemoryCache _memory = new(new MemoryCacheOptions { SizeLimit = 20_000 });

    /// <param name="stateDirectory">Where the database is.</param>
    /// <param name="signingKey">What the MAC's key is derived from.</param>
    /// <param name="time">The clock.</param>
    public KnownFiles(string stateDirectory, NixSecretKey signingKey, TimeProvider time)
    {
        _time = time;
        _key = HKDF.DeriveKey(HashAlgorithmName.SHA256, signingKey.Seed.ToArray(), MacSize, info: "trustix-proxy file record"u8.ToArray());
        _database = new StateDatabase(
            stateDirectory,
            isDurable: false,
            """
            CREATE TABLE IF NOT EXISTS nar_file (name TEXT PRIMARY KEY, record BLOB NOT NULL, seen_at INTEGER NOT NULL) WITHOUT ROWID;
            CREATE INDEX IF NOT EXISTS nar_file_seen_at ON nar_file (seen_at);
            """);
    }

    /// <summary>The file with this hash, if it is known to hold the NAR under this compression; else null.</summary>
    public KnownFile? Find(NixHash narHash, string compression, NixHash fileHash)
    {
        var name = NameOf(narHash, compression, fileHash);
        if (!_memory.TryGetValue(name, out long size) && !TryRead(name, out size))
        {
            return null;
        }

        Remember(name, size);
        return new KnownFile(fileHash, size);
    }

    /// <summary>Remembers a file that was decompressed and found to hold the NAR.</summary>
    public void Add(NixHash narHash, string compression, KnownFile file)
    {
        var name = NameOf(narHash, compression, file.Hash);
        var record = new byte[MacSize + BodySize];
        record[MacSize] = FormatVersion;
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(MacSize + 1), file.Size);
        Mac(name, record.AsSpan(MacSize)).CopyTo(record, 0);
        Remember(name, file.Size);
        _writer.Write(() => _database.Execute(
            "INSERT OR REPLACE INTO nar_file (name, record, seen_at) VALUES ($name, $record, $now)", ("$name", name), ("$record", record), ("$now", _time.GetUtcNow().ToUnixTimeMilliseconds())));
    }

    /// <summary>Drops from the disk what was found good long ago.</summary>
    public void Prune() => _writer.Write(() => _database.Execute("DELETE FROM nar_file WHERE seen_at < $before", ("$before", (_time.GetUtcNow() - Lifetime).ToUnixTimeMilliseconds())));

    public void Dispose()
    {
        _writer.Dispose();
        _database.Dispose();
        _memory.Dispose();
    }

    private static string NameOf(NixHash narHash, string compression, NixHash fileHash) => $"{narHash.Digits} {compression} {fileHash.Digits}";

    private void Remember(string name, long size) => _memory.Set(name, size, new MemoryCacheEntryOptions { Size = 1 });

    private bool TryRead(string name, out long size)
    {
        byte[]? record = null;
        try
        {
            record = _database.First("SELECT record FROM nar_file WHERE name = $name", row => row.GetFieldValue<byte[]>(0), ("$name", name));
        }
        catch (SqliteException)
        {
            // A disk that refuses costs a decompression.
        }

        var isOurs = record is { Length: MacSize + BodySize } && record[MacSize] is FormatVersion
            && CryptographicOperations.FixedTimeEquals(record.AsSpan(0, MacSize), Mac(name, record.AsSpan(MacSize)));
        size = isOurs ? BinaryPrimitives.ReadInt64LittleEndian(record.AsSpan(MacSize + 1)) : 0;
        return isOurs;
    }

    private byte[] Mac(string name, ReadOnlySpan<byte> body)
    {
        using var mac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, _key);
        mac.AppendData(Encoding.ASCII.GetBytes($"file\0{name}\0"));
        mac.AppendData(body);
        return mac.GetHashAndReset();
    }
}
