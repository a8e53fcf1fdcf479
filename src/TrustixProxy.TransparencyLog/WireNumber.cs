namespace TrustixProxy.TransparencyLog;

/// <summary>Makes our numbers of those in foreign messages. A cast would throw on what a stranger may write; a test forbids casts of wire
/// fields elsewhere.</summary>
public static class WireNumber
{
    /// <summary>Whether a foreign number is less than 2^63, and if so that number; else 0.</summary>
    public static bool TryRead(ulong value, out long number)
    {
        number = value <= long.MaxValue ? (long)value : 0;
        return value <= long.MaxValue;
    }

    /// <summary>A number in a message that this program has written, or has checked before.</summary>
    /// <exception cref="OverflowException">It is 2^63 or more: it is not such a number.</exception>
    public static long OfOurs(ulong value) => (long)value;

    /// <summary>Whether a foreign number is at most <paramref name="most"/>, and if so that number; else 0.</summary>
    public static bool TryRead(ulong value, int most, out int number)
    {
        number = value <= (ulong)most ? (int)value : 0;
        return value <= (ulong)most;
    }
}
