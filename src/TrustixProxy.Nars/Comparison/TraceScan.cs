using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace TrustixProxy.Nars.Comparison;

/// <summary>Scans a streaming file for texts that reveal when and where it was built.</summary>
internal sealed partial class TraceScan
{
    /// <summary>Maximum number of different traces kept per file.</summary>
    private const int MaxTraces = 4096;

    /// <summary>Maximum length of a trace: one that ends earlier than this before the end is complete.</summary>
    private const int MaxLength = 256;

    private readonly HashSet<Trace> _found = [];
    private string _rest = "";
    private bool _isContinued;

    /// <summary>Scans the next bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes) => Scan(_rest + Encoding.Latin1.GetString(bytes), isLast: false);

    /// <summary>Ends the scan; returns the traces, or null when there were too many.</summary>
    public IReadOnlySet<Trace>? Complete()
    {
        Scan(_rest, isLast: true);
        return _found.Count < MaxTraces ? _found : null;
    }

    /// <summary>Scans the text. A match that begins within the last characters is left for the next call, with the one character before
    /// it.</summary>
    private void Scan(string text, bool isLast)
    {
        var cut = isLast ? text.Length : Math.Max(0, text.Length - MaxLength);
        foreach (var match in Traces.EnumerateMatches(text, _isContinued ? 1 : 0))
        {
            if (match.Index + match.Length > cut)
            {
                cut = Math.Min(cut, match.Index);
                break;
            }

            if (_found.Count < MaxTraces)
            {
                _found.Add(Read(text.AsSpan(match.Index, match.Length)));
            }
        }

        _isContinued |= cut > 0;
        _rest = text[Math.Max(0, cut - (_isContinued ? 1 : 0))..];
    }

    private static Trace Read(ReadOnlySpan<char> text)
    {
        var kind = text.StartsWith("/nix/store/") || text.StartsWith("/gnu/store/") ? TraceKind.StorePath
            : text[0] is '/' ? TraceKind.BuildPath : TraceKind.Time;
        var isSeconds = !text.ContainsAnyExceptInRange('0', '9');
        return new Trace(kind, isSeconds
            ? string.Create(CultureInfo.InvariantCulture,
                $"{text} ({DateTimeOffset.FromUnixTimeSeconds(long.Parse(text, CultureInfo.InvariantCulture)):yyyy-MM-dd HH:mm:ss}Z)")
            : text.ToString());
    }

    /// <summary>Paths; dates as in ISO 8601, C's <c>__DATE__</c>, <c>ctime</c> and mails; times of day; seconds since 1970 from 2001 to
    /// 2033. Every character of them is printable ASCII.</summary>
    [GeneratedRegex("""
        /(?:nix|gnu)/store/[0-9a-z]{32}-[0-9A-Za-z+._?=-]{1,200}
        | (?<![0-9A-Za-z_./-]) /(?: build/ | (?:private/)?tmp/(?:nix|guix)-build- | home/ | Users/ | root/ | var/folders/ | nix/var/nix/builds/ ) [0-9A-Za-z_./+@%~=-]{1,200}
        | (?: (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?[ ] )? (?:[ 0-3]?\d[ ])? (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[ ] (?:[ 0-3]\d[ ])? (?:\d\d:\d\d:\d\d[ ])? (?:[A-Z]{3,4}[ ])? (?:19|20)\d\d (?:[ ]\d\d:\d\d:\d\d)? (?!\d)
        | (?<!\d) (?:19|20)\d\d-[01]\d-[0-3]\d (?: [T ][0-2]\d:[0-5]\d (?: :[0-5]\d (?:\.\d{1,9})? )? (?:Z|[+-]\d\d:?\d\d)? )? (?!\d)
        | (?<!\d) [0-2]\d:[0-5]\d:[0-5]\d (?!\d)
        | (?<![0-9A-Za-z_.]) 1\d{9} (?![0-9A-Za-z_.])
        """, RegexOptions.IgnorePatternWhitespace | RegexOptions.CultureInvariant)]
    private static partial Regex Traces { get; }
}
