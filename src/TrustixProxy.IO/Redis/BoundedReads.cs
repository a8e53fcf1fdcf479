using StackExchange.Redis;

namespace TrustixProxy.IO.Redis;

/// <summary>Reads values of Redis in bounded memory: anyone who can write to Redis chooses their length.</summary>
/// <remarks>Short values, as true ones are, are read at once. Of long ones only so many are read at a time.</remarks>
public sealed class BoundedReads : IDisposable
{
    /// <summary>Bytes of a value that are read without waiting for anyone.</summary>
    public const int ShortLength = 64 << 10;

    private const int LongAtOnce = 2;

    private const string Scan = """
        local reply = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
        local found, bytes, skipped = {}, 0, 0
        for i = 1, #reply[2], 2 do
          local size = #reply[2][i] + #reply[2][i + 1]
          bytes = bytes + size
          if size > tonumber(ARGV[3]) or bytes > tonumber(ARGV[4]) then
            bytes = bytes - size
            skipped = skipped + 1
          else
            found[#found + 1] = reply[2][i]
            found[#found + 1] = reply[2][i + 1]
          end
        end
        return {reply[1], skipped, found}
        """;

    private readonly SemaphoreSlim _long = new(LongAtOnce);

    public void Dispose() => _long.Dispose();

    /// <summary>The first bytes of a value, <paramref name="most"/> at most; null or empty when there is none.</summary>
    /// <param name="database">Redis.</param>
    /// <param name="key">The value's key.</param>
    /// <param name="most">The most bytes that a true value has.</param>
    public async Task<byte[]?> ReadAsync(IDatabase database, RedisKey key, int most)
    {
        byte[]? bytes = await database.StringGetRangeAsync(key, 0, Math.Min(most, ShortLength) - 1);
        if (bytes is null || bytes.Length < ShortLength || most <= ShortLength)
        {
            return bytes;
        }

        await _long.WaitAsync();
        try
        {
            return await database.StringGetRangeAsync(key, 0, most - 1);
        }
        finally
        {
            _long.Release();
        }
    }

    /// <summary>A part of a hash: its entries that are no longer than a true one, and how many others there were.</summary>
    /// <param name="database">Redis.</param>
    /// <param name="key">The hash's key.</param>
    /// <param name="cursor">Where to go on; <c>0</c> to begin, and when the whole has been read.</param>
    /// <param name="most">The most bytes of an entry, name and value together.</param>
    public static async Task<HashPart> ReadHashAsync(IDatabase database, RedisKey key, string cursor, int most)
    {
        const int entriesAtOnce = 100;
        object[] arguments = [Scan, 1, key, cursor, entriesAtOnce, most, entriesAtOnce * most];
        var reply = (RedisResult[]?)await database.ExecuteAsync("EVAL", arguments);
        if (reply is not [var next, var skipped, var found] || (RedisValue[]?)found is not { } entries)
        {
            return new HashPart("0", 0, []);
        }

        return new HashPart((string?)next ?? "0", (int)skipped, [.. entries.Chunk(2).Select(pair => new HashEntry(pair[0], pair[1]))]);
    }
}

/// <summary>A part of a hash.</summary>
/// <param name="Next">Where to go on; <c>0</c> when this was the last part.</param>
/// <param name="Skipped">How many entries were too long.</param>
public readonly record struct HashPart(string Next, int Skipped, IReadOnlyList<HashEntry> Entries);
