namespace TrustixProxy.TransparencyLog;

/// <summary>Converts numbers in messages. A cast would throw on untrusted values; a test forbids casts of wire fields elsewhere.</summary>
public static class WireNumber
{
    /// <summary>Reads an untrusted number; false, with 0, unless it is less than 2^63.</summary>
    public static bool TryRead(ulong value, out long number)
    {
        number = value <= long.MaxValue ? (long)value : 0;
        return value <= long.MaxValue;
    }

    /// <summary>Converts a number in a message that this program wrote, or checked before.</summary>
    /// <exception cref="OverflowException">The number is 2^63 or more, so it is not ours.</exception>
    public static long OfOurs(ulong value) => (long)value;

    /// <summary>Reads an untrusted number; false, with 0, unless it is at most <paramref name="most"/>.</summary>
    public static bool TryRead(ulong value, int most, out int number)
    {
        number = value <= (ulong)most ? (int)value : 0;
        return value <= (ulong)most;
    }
}
