using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace TrustixProxy.TransparencyLog.Notes;

/// <summary>Reads the parts of which all note formats consist: lines, numbers, base 64. Each part has one spelling only.</summary>
internal static class NoteText
{
    /// <summary>Maximum size of a note, in bytes.</summary>
    public const int MaxSize = 64 << 10;

    /// <summary>Decodes UTF-8 without control characters other than line feeds; false for more than <paramref name="most"/>
    /// bytes.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> bytes, int most, [NotNullWhen(true)] out string? text)
    {
        var isText = bytes.Length <= most && Utf8.IsValid(bytes)
            && !bytes.ContainsAnyInRange((byte)0, (byte)9) && !bytes.ContainsAnyInRange((byte)11, (byte)31);
        text = isText ? Encoding.UTF8.GetString(bytes) : null;
        return isText;
    }

    /// <summary>Takes a line, which must end in a line feed, from the start of <paramref name="rest"/>.</summary>
    public static bool TryTakeLine(ref ReadOnlySpan<char> rest, out ReadOnlySpan<char> line)
    {
        var end = rest.IndexOf('\n');
        line = end < 0 ? default : rest[..end];
        rest = end < 0 ? rest : rest[(end + 1)..];
        return end >= 0;
    }

    /// <summary>Takes a line that begins with <paramref name="prefix"/>, and returns the rest of that line.</summary>
    public static bool TryTakeField(ref ReadOnlySpan<char> rest, string prefix, out ReadOnlySpan<char> value)
    {
        value = default;
        if (!rest.StartsWith(prefix, StringComparison.Ordinal) || !TryTakeLine(ref rest, out var line))
        {
            return false;
        }

        value = line[prefix.Length..];
        return true;
    }

    /// <summary>Reads a decimal number below 2^63, without sign and leading zeros.</summary>
    public static bool TryReadNumber(ReadOnlySpan<char> text, out long number) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number)
        && !text.ContainsAnyExceptInRange('0', '9') && (text[0] is not '0' || text.Length is 1);

    /// <summary>Reads base 64 with its padding; false for a second spelling of the same bytes.</summary>
    public static bool TryReadBase64(ReadOnlySpan<char> text, out byte[] bytes)
    {
        var buffer = new byte[text.Length];
        bytes = Convert.TryFromBase64Chars(text, buffer, out var written) ? buffer[..written] : [];
        return bytes.Length > 0 && text.SequenceEqual(Convert.ToBase64String(bytes));
    }

    /// <summary>Reads lower-case hexadecimal digits that fill <paramref name="bytes"/> exactly.</summary>
    public static bool TryReadHex(ReadOnlySpan<char> text, Span<byte> bytes) =>
        text.Length == 2 * bytes.Length && !text.ContainsAnyInRange('A', 'F')
        && Convert.FromHexString(text, bytes, out _, out _) is System.Buffers.OperationStatus.Done;

    /// <summary>Reads a hash in base 64.</summary>
    public static bool TryReadHash(ReadOnlySpan<char> text, out Digest hash)
    {
        hash = default;
        return TryReadBase64(text, out var bytes) && Digest.TryRead(bytes, out hash);
    }

    /// <summary>Takes lines up to an empty one, each a hash in base 64; false for more than 63, or another line.</summary>
    public static bool TryTakeHashes(ref ReadOnlySpan<char> rest, out ImmutableArray<Digest> hashes)
    {
        const int most = 63;
        var found = ImmutableArray.CreateBuilder<Digest>();
        while (TryTakeLine(ref rest, out var line))
        {
            if (line.IsEmpty)
            {
                hashes = found.ToImmutable();
                return true;
            }

            if (found.Count is most || !TryReadHash(line, out var hash))
            {
                break;
            }

            found.Add(hash);
        }

        hashes = [];
        return false;
    }

    /// <summary>Encodes a hash in base 64.</summary>
    public static string Base64(Digest hash) => Convert.ToBase64String(hash.ToArray());

    /// <summary>Encodes lines of hashes and the empty line that ends them.</summary>
    public static string HashLines(ImmutableArray<Digest> hashes) => string.Concat(hashes.Select(hash => Base64(hash) + "\n")) + "\n";

    /// <summary>Whether a text can name a key: it is not empty, and has no space and no plus sign.</summary>
    public static bool IsKeyName(ReadOnlySpan<char> name)
    {
        foreach (var character in name)
        {
            if (character is '+' or < ' ' || char.IsWhiteSpace(character))
            {
                return false;
            }
        }

        return !name.IsEmpty;
    }
}
