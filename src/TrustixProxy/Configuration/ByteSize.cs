using System.Globalization;

namespace TrustixProxy.Configuration;

/// <summary>Reads numbers of bytes: digits, with <c>KiB</c>, <c>MiB</c>, <c>GiB</c> or <c>TiB</c> after them or nothing.</summary>
internal static class ByteSize
{
    /// <summary>What a text must be.</summary>
    public const string Form = "a number of bytes from 1 to 1024TiB: digits, and then KiB, MiB, GiB, TiB or nothing";

    private static readonly string[] Units = ["KiB", "MiB", "GiB", "TiB"];

    /// <summary>Reads a whole text; false unless it is as <see cref="Form"/> says.</summary>
    public static bool TryRead(string text, out long size)
    {
        var unit = text.Length > 3 ? Array.IndexOf(Units, text[^3..]) : -1;
        var isGood = long.TryParse(unit < 0 ? text : text[..^3], NumberStyles.None, CultureInfo.InvariantCulture, out var count)
            && count > 0 && count <= (1L << 50) >> (10 * (unit + 1));
        size = isGood ? count << (10 * (unit + 1)) : 0;
        return isGood;
    }
}
