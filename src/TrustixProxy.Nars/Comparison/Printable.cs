using System.Buffers;
using System.Globalization;
using System.Text;

namespace TrustixProxy.Nars.Comparison;

/// <summary>Renders foreign bytes as text that is safe to print on a terminal.</summary>
public static class Printable
{
    /// <summary>Decodes UTF-8; writes invalid bytes as <c>\xNN</c>, and control, format and separator characters except the space as
    /// <c>\uNNNN</c>.</summary>
    public static string Of(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder(bytes.Length);
        while (bytes.Length > 0)
        {
            var isGood = Rune.DecodeFromUtf8(bytes, out var rune, out var length) is OperationStatus.Done;
            if (!isGood)
            {
                foreach (var other in bytes[..length])
                {
                    text.Append(CultureInfo.InvariantCulture, $"\\x{other:x2}");
                }
            }
            else if (
                rune.Value is not ' '
                && Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator
                or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator or UnicodeCategory.PrivateUse
                or UnicodeCategory.OtherNotAssigned)
            {
                text.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}");
            }
            else
            {
                text.Append(rune.ToString());
            }

            bytes = bytes[length..];
        }

        return text.ToString();
    }
}
