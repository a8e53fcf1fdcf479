using System.Text;

namespace TrustixProxy.Apt;

/// <summary>Paths in an archive: segments of visible ASCII, none of them empty or <c>..</c>.</summary>
internal static class ArchivePath
{
    /// <summary>Longest path or request target, in characters.</summary>
    public const int MaxLength = 2048;

    /// <summary>Reads a path as an index has it, without escapes: <c>pool/main/h/hello/hello_2.10-3_amd64.deb</c>. Segments that are
    /// <c>.</c> are left out.</summary>
    public static bool TryClean(string text, [NotNullWhen(true)] out string? path)
    {
        path = text.Length <= MaxLength && text.All(IsCharacter) && TrySplit(text, out var segments) && segments.Count > 0
            ? string.Join('/', segments) : null;
        return path is not null;
    }

    /// <summary>Reads what follows the first slash of a request target: decodes it once, and splits it.</summary>
    public static RequestError Decode(ReadOnlySpan<char> target, out List<string> segments)
    {
        segments = [];
        var path = new StringBuilder(target.Length);
        for (var i = 0; i < target.Length; i++)
        {
            var character = target[i];
            if (character is '%')
            {
                if (!TryUnescape(target[(i + 1)..], out character))
                {
                    return RequestError.Escape;
                }

                i += 2;
            }
            else if (!IsCharacter(character))
            {
                return character is '?' or '#' ? RequestError.Query : RequestError.Character;
            }

            path.Append(character);
        }

        return TrySplit(path.ToString(), out segments) ? RequestError.None : RequestError.Segment;
    }

    /// <summary>Reads two hexadecimal digits. An escaped dot or slash could make another path of this one.</summary>
    private static bool TryUnescape(ReadOnlySpan<char> digits, out char character)
    {
        character = digits.Length >= 2 && char.IsAsciiHexDigit(digits[0]) && char.IsAsciiHexDigit(digits[1])
            ? (char)Convert.FromHexString(digits[..2])[0] : '\0';
        return IsCharacter(character) && character is not ('.' or '/');
    }

    private static bool IsCharacter(char character) =>
        character is > ' ' and < (char)0x7f and not ('%' or '\\' or '?' or '#');

    private static bool TrySplit(string path, out List<string> segments)
    {
        var all = path.Split('/');
        segments = [.. all.Where(segment => segment is not ".")];
        return !all.Any(segment => segment is "" or "..");
    }
}
