using StackExchange.Redis;

namespace TrustixProxy.IO.Redis;

/// <summary>Reads values from Redis in bounded memory: an attacker who can write to Redis chooses their length.</summary>
/// <remarks>Short values, as real ones are, are read at once. Reads of long values are limited in number.</remarks>
public sealed class BoundedReads : IDisposable
{
    /// <summary>Maximum length of a value read without waiting, in bytes.</summary>
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

    /// <summary>Reads the first bytes of a value, at most <paramref name="most"/>; null or empty when there is none.</summary>
    /// <param name="database">Redis.</param>
    /// <param name="key">The value's key.</param>
    /// <param name="most">Maximum size of a real value, in bytes.</param>
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

    /// <summary>Reads a part of a hash: the entries of plausible length, and how many others there were.</summary>
    /// <param name="database">Redis.</param>
    /// <param name="key">The hash's key.</param>
    /// <param name="cursor">Where to continue; <c>0</c> to begin, and at the end.</param>
    /// <param name="most">Maximum size of an entry in bytes, name and value together.</param>
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
/// <param name="Next">Where to continue; <c>0</c> after the last part.</param>
/// <param name="Skipped">Number of entries that were too long.</param>
public readonly record struct HashPart(string Next, int Skipped, IReadOnlyList<HashEntry> Entries);
