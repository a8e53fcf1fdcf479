using System.Text;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Configuration;

/// <summary>Finds the credentials for a host in a netrc file, as curl does for Nix's <c>netrc-file</c>.</summary>
/// <remarks>Words between white space: <c>machine HOST login NAME password SECRET</c>, and <c>default …</c> for every host. The first
/// fitting entry is used. A missing login or password is empty; of several, the last is used. A word can be in double quotes, with the
/// escapes <c>\"</c>, <c>\\</c>, <c>\n</c>, <c>\r</c> and <c>\t</c>. A quote that does not end makes its entry, and the rest of the file,
/// unusable. A line that begins with <c>#</c> is a comment; a <c>macdef</c> extends to the next empty line; other words are ignored.
/// Source: curl <c>lib/netrc.c</c>.</remarks>
internal static class NetrcFile
{
    /// <summary>The most characters of a file.</summary>
    public const int MaxSize = 64 << 10;

    /// <summary>Finds the credentials for a host.</summary>
    /// <param name="fault">What is wrong, to follow the name of the file.</param>
    public static bool TryFind(string text, string host, [NotNullWhen(true)] out UpstreamCredentials? credentials, out string fault)
    {
        (credentials, fault) = (null, "");
        var entries = Read(Words(text, out var isWhole));
        if (!isWhole && entries.Count > 0)
        {
            entries.RemoveAt(entries.Count - 1);
        }

        var fitting = entries.Where(entry => entry.Machine is null
            || entry.Machine.Equals(host, StringComparison.OrdinalIgnoreCase)).ToList();
        if (entries.Count is 0 || text.Length > MaxSize)
        {
            fault = "which is not a netrc file: machine HOST login NAME password SECRET.";
        }
        else if (fitting.Count is 0)
        {
            fault = $"which has no entry for '{host}'.";
        }
        else if ((fitting.Find(entry => (entry.Login ?? entry.Password) is not null) ?? fitting[0]) is var entry
            && (entry.Login ?? entry.Password) is null)
        {
            fault = $"whose entry for '{entry.Machine ?? "default"}' has neither a login nor a password.";
        }
        else
        {
            credentials = UpstreamCredentials.Basic(entry.Login ?? "", entry.Password ?? "");
        }

        return credentials is not null;
    }

    private static List<Entry> Read(List<string> words)
    {
        var entries = new List<Entry>();
        for (var i = 0; i < words.Count; i++)
        {
            var next = i + 1 < words.Count ? words[i + 1] : null;
            switch (words[i].ToLowerInvariant())
            {
                case "default":
                    entries.Add(new Entry(null));
                    break;
                case "machine" when next is not null:
                    entries.Add(new Entry(next));
                    i++;
                    break;
                case "login" when next is not null && entries.Count > 0:
                    entries[^1].Login = next;
                    i++;
                    break;
                case "password" when next is not null && entries.Count > 0:
                    entries[^1].Password = next;
                    i++;
                    break;
                case "account" when next is not null:
                    i++;
                    break;
                default:
                    break;
            }
        }

        return entries;
    }

    /// <summary>The words of a file without comments and macros.</summary>
    /// <param name="isWhole">Whether every quotation ends; else the words end before the first that does not.</param>
    private static List<string> Words(string text, out bool isWhole)
    {
        var (words, inMacro) = (new List<string>(), false);
        foreach (var line in text.Split('\n').Where(line => !line.AsSpan().TrimStart().StartsWith('#')))
        {
            inMacro &= line.Trim().Length > 0;
            for (var rest = line.AsSpan().Trim(); !inMacro && rest.Length > 0; rest = rest.TrimStart())
            {
                if (!TryReadWord(ref rest, out var word))
                {
                    isWhole = false;
                    return words;
                }

                inMacro = word.Equals("macdef", StringComparison.OrdinalIgnoreCase);
                words.Add(word);
            }
        }

        isWhole = true;
        return words;
    }

    private static bool TryReadWord(ref ReadOnlySpan<char> rest, out string word)
    {
        if (rest[0] is not '"')
        {
            var end = rest.IndexOfAny(" \t\r\v\f");
            word = rest[..(end < 0 ? rest.Length : end)].ToString();
            rest = rest[word.Length..];
            return true;
        }

        var quoted = new StringBuilder();
        for (var i = 1; i < rest.Length; i++)
        {
            if (rest[i] is '"')
            {
                word = quoted.ToString();
                rest = rest[(i + 1)..];
                return true;
            }

            var isEscape = rest[i] is '\\' && i + 1 < rest.Length;
            i += isEscape ? 1 : 0;
            quoted.Append(isEscape ? Unescaped(rest[i]) : rest[i]);
        }

        word = "";
        return false;
    }

    private static char Unescaped(char letter) => letter switch { 'n' => '\n', 'r' => '\r', 't' => '\t', _ => letter };

    /// <summary>What the file says of a machine; of every one when it is null.</summary>
    private sealed record Entry(string? Machine)
    {
        public string? Login { get; set; }

        public string? Password { get; set; }
    }
}
