using System.Text;
using TrustixProxy.Substituter.Upstreams;

namespace TrustixProxy.Configuration;

/// <summary>Reads who we are to a host out of a netrc file, as Nix's own <c>netrc-file</c> is read.</summary>
/// <remarks>Words between white space: <c>machine HOST login NAME password SECRET</c>, <c>default …</c> for all other hosts at the end; a word may stand in double quotes, with <c>\"</c> and <c>\\</c> in it.
/// <c>account WORD</c> is passed over, so are lines that begin with <c>#</c>, and a <c>macdef</c> up to the next empty line. Source: curl <c>lib/netrc.c</c>.</remarks>
internal static class NetrcFile
{
    /// <summary>The most characters of a file.</summary>
    public const int MaxSize = 64 << 10;

    /// <summary>Finds the credentials for a host: of the first entry that names it, else of <c>default</c>.</summary>
    /// <param name="text">The file.</param>
    /// <param name="host">The host.</param>
    /// <param name="credentials">What is found.</param>
    /// <param name="fault">What is wrong, to follow the name of the file.</param>
    public static bool TryFind(string text, string host, [NotNullWhen(true)] out UpstreamCredentials? credentials, out string fault)
    {
        (credentials, fault) = (null, "");
        var entries = Read(text);
        if (entries is null || text.Length > MaxSize)
        {
            fault = "which is no netrc file: machine HOST login NAME password SECRET.";
        }
        else if ((entries.Find(entry => string.Equals(entry.Machine, host, StringComparison.OrdinalIgnoreCase)) ?? entries.Find(entry => entry.Machine is null)) is not { } entry)
        {
            fault = $"which has no entry for '{host}'.";
        }
        else if (entry.Login is not { Length: > 0 } login || entry.Password is not { } password || login.Contains(':', StringComparison.Ordinal) || (login + password).Any(char.IsControl))
        {
            fault = $"whose entry for '{entry.Machine ?? "default"}' has not both a login (without a colon) and a password.";
        }
        else
        {
            credentials = UpstreamCredentials.Basic(login, password);
        }

        return credentials is not null;
    }

    private static List<Entry>? Read(string text)
    {
        var entries = new List<Entry>();
        var words = Words(text);
        if (words is null)
        {
            return null;
        }

        for (var i = 0; i < words.Count; i++)
        {
            var next = i + 1 < words.Count ? words[i + 1] : null;
            switch (words[i])
            {
                case "default":
                    entries.Add(new Entry(null));
                    continue;
                case "machine" when next is not null:
                    entries.Add(new Entry(next));
                    break;
                case "login" when next is not null && entries.Count > 0:
                    entries[^1].Login = next;
                    break;
                case "password" when next is not null && entries.Count > 0:
                    entries[^1].Password = next;
                    break;
                case "account" when next is not null:
                    break;
                default:
                    return null;
            }

            i++;
        }

        return entries;
    }

    /// <summary>The words of a file without comments and macros; null when a quotation does not end.</summary>
    private static List<string>? Words(string text)
    {
        var (words, inMacro) = (new List<string>(), false);
        foreach (var line in text.Split('\n'))
        {
            inMacro &= line.Trim().Length > 0;
            if (inMacro || line.TrimStart().StartsWith('#'))
            {
                continue;
            }

            for (var rest = line.AsSpan().Trim(); rest.Length > 0; rest = rest.TrimStart())
            {
                if (!TryReadWord(ref rest, out var word))
                {
                    return null;
                }

                if (word is "macdef" && (inMacro = true))
                {
                    break;
                }

                words.Add(word);
            }
        }

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

            i += rest[i] is '\\' && i + 1 < rest.Length ? 1 : 0;
            quoted.Append(rest[i]);
        }

        word = "";
        return false;
    }

    /// <summary>What the file says of a machine; of all others when it is null.</summary>
    private sealed record Entry(string? Machine)
    {
        public string? Login { get; set; }

        public string? Password { get; set; }
    }
}
