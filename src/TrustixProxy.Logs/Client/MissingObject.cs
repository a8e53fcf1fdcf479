using System.Globalization;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Logs.Client;

/// <summary>Recognises the reference's error about a missing object. The object is SHA-256 of a key its map lacks, or the root of a dropped
/// map.</summary>
/// <remarks><code>error retreiving object with key '[12 0 255 …]': could not find object</code>
/// The bytes are written in decimal, with one space between.</remarks>
public static class MissingObject
{
    private const string Before = "with key '[", After = "]'";

    /// <summary>Whether the error text names this object.</summary>
    public static bool IsNamed(string text, Digest name)
    {
        var start = text.IndexOf(Before, StringComparison.Ordinal) + Before.Length;
        var end = start < Before.Length ? -1 : text.IndexOf(After, start, StringComparison.Ordinal);
        if (end < 0)
        {
            return false;
        }

        var numbers = text[start..end].Split(' ', Digest.Size + 1);
        return numbers.Length is Digest.Size
            && numbers.Index().All(number =>
                byte.TryParse(number.Item, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value == name[number.Index]);
    }
}
