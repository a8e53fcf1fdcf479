using System.Text;

namespace TrustixProxy.Nars.Comparison;

/// <summary>Computes the differing lines of two small texts by Myers' O(ND) algorithm (Algorithmica 1, 1986).</summary>
internal static class LineDiff
{
    private const int MaxEdits = 300, Context = 2, MaxShown = 60, MaxLine = 200;

    /// <summary>See <see cref="ContentDifference.Lines"/>.</summary>
    public static IReadOnlyList<string>? Of(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b) =>
        Lines(a) is { } linesA && Lines(b) is { } linesB && Edits(linesA, linesB) is { } edits ? Show(edits) : null;

    /// <summary>Splits a text into lines, with their ends; null when it is not text.</summary>
    private static List<string>? Lines(ReadOnlySpan<byte> bytes)
    {
        if (!System.Text.Unicode.Utf8.IsValid(bytes) || bytes.IndexOfAnyInRange((byte)0, (byte)8) >= 0
            || bytes.IndexOfAnyInRange((byte)14, (byte)31) >= 0)
        {
            return null;
        }

        var lines = new List<string>();
        for (var rest = bytes; rest.Length > 0;)
        {
            var end = rest.IndexOf((byte)'\n') is var newline and >= 0 ? newline + 1 : rest.Length;
            lines.Add(Encoding.UTF8.GetString(rest[..end]));
            rest = rest[end..];
        }

        return lines;
    }

    /// <summary>Computes the edits that turn the first text into the second, from the end to the beginning; null when there are too
    /// many.</summary>
    private static List<(char Sign, int Number, string Line)>? Edits(List<string> a, List<string> b)
    {
        var max = Math.Min(a.Count + b.Count, MaxEdits);
        var reach = new int[(2 * max) + 3]; // by diagonal: how far into the first text this number of edits reaches
        var middle = max + 1;
        var rounds = new List<int[]>();
        for (var edits = 0; edits <= max; edits++)
        {
            rounds.Add(reach[(middle - edits - 1)..(middle + edits + 2)]);
            for (var diagonal = -edits; diagonal <= edits; diagonal += 2)
            {
                var x = IsInsertion(reach, middle, diagonal, edits) ? reach[middle + diagonal + 1] : reach[middle + diagonal - 1] + 1;
                while (x < a.Count && x - diagonal < b.Count && a[x] == b[x - diagonal])
                {
                    x++;
                }

                reach[middle + diagonal] = x;
                if (x >= a.Count && x - diagonal >= b.Count)
                {
                    return Trace(a, b, rounds);
                }
            }
        }

        return null;
    }

    private static bool IsInsertion(int[] reach, int middle, int diagonal, int edits) =>
        diagonal == -edits || (diagonal != edits && reach[middle + diagonal - 1] < reach[middle + diagonal + 1]);

    private static List<(char Sign, int Number, string Line)> Trace(List<string> a, List<string> b, List<int[]> rounds)
    {
        var steps = new List<(char, int, string)>();
        var (x, y) = (a.Count, b.Count);
        for (var edits = rounds.Count - 1; edits >= 0; edits--)
        {
            var (reach, middle, diagonal) = (rounds[edits], edits + 1, x - y);
            var before = IsInsertion(reach, middle, diagonal, edits) ? diagonal + 1 : diagonal - 1;
            var beforeX = reach[middle + before];
            for (; x > beforeX && y > beforeX - before; x--, y--)
            {
                steps.Add((' ', y, b[y - 1]));
            }

            if (edits > 0)
            {
                steps.Add(before > diagonal ? ('+', y, b[y - 1]) : ('-', y + 1, a[x - 1]));
                (x, y) = (beforeX, beforeX - before);
            }
        }

        steps.Reverse();
        return steps;
    }

    private static List<string> Show(List<(char Sign, int Number, string Line)> edits)
    {
        var near = new bool[edits.Count];
        for (var i = 0; i < edits.Count; i++)
        {
            if (edits[i].Sign is not ' ')
            {
                Array.Fill(near, true, Math.Max(0, i - Context), Math.Min(edits.Count, i + Context + 1) - Math.Max(0, i - Context));
            }
        }

        var shown = new List<string>();
        for (var i = 0; i < edits.Count; i++)
        {
            if (near[i] && shown.Count == MaxShown)
            {
                shown.Add("@@ and more @@");
                break;
            }

            if (near[i] && (i is 0 || !near[i - 1]))
            {
                shown.Add($"@@ line {edits[i].Number} @@");
            }

            if (near[i])
            {
                shown.Add($"{edits[i].Sign}{Cut(edits[i].Line)}");
            }
        }

        return shown;
    }

    private static string Cut(string line)
    {
        var (text, hasEnd) = (line.TrimEnd('\n'), line.EndsWith('\n'));
        return Printable.Of(Encoding.UTF8.GetBytes(text.Length > MaxLine ? text[..MaxLine] + "…" : text))
            .Replace("\\u0009", "\t", StringComparison.Ordinal) + (hasEnd ? "" : " (no newline at the end)");
    }
}
