using System.Buffers;
using System.Globalization;
using System.Text;
using TrustixProxy.Nars.Comparison;
using TrustixProxy.Nix;

namespace TrustixProxy.Verbs.Inspect;

/// <summary>Tells of a comparison while it goes on; it keeps nothing, as there may be any number of differences.</summary>
internal abstract class DiffReport
{
    /// <summary>Says what is compared.</summary>
    public abstract void Begin(StorePath path, NarSource a, NarSource b);

    /// <summary>Tells of one difference.</summary>
    public abstract void Tell(NarDifference difference);

    /// <summary>Says what came of it.</summary>
    /// <param name="result">The counts; null when nothing was read, for both name one hash or for a fault.</param>
    /// <param name="fault">Why it ended early; null when it did not.</param>
    public abstract void End(ComparisonResult? result, string? fault);
}

/// <summary>For people.</summary>
internal sealed class DiffText(TextWriter output) : DiffReport
{
    private static readonly SearchValues<byte> Visible = SearchValues.Create(
        [.. Enumerable.Range(' ', '~' - ' ' + 1).Select(c => (byte)c)]);

    private string? _hash;

    public override void Begin(StorePath path, NarSource a, NarSource b)
    {
        _hash = a.NarHash?.ToString();
        output.WriteLine(path.Absolute);
        output.WriteLine($"a is {Name(a)}");
        output.WriteLine($"b is {Name(b)}");
    }

    public override void Tell(NarDifference difference)
    {
        var (a, b) = (difference.A, difference.B);
        output.WriteLine($"{Word(difference.Change),-7} {difference.Path}: "
            + $"{(a is null || b is null ? Describe((a ?? b)!) : a == b ? Describe(a) : $"{Describe(a)} → {Describe(b)}")}");
        if (difference.Contents is { } contents)
        {
            Tell(contents, b!.Size - a!.Size);
        }
    }

    public override void End(ComparisonResult? result, string? fault)
    {
        if (fault is null)
        {
            output.WriteLine(result is null ? $"same: both name {_hash}"
                : result.IsSame ? $"same: {result.HashA}, {result.Same:N0} {(result.Same is 1 ? "path" : "paths")}"
                : $"{result.Changed:N0} changed, {result.Removed:N0} removed (only in a), {result.Added:N0} added (only in b), "
                    + $"{result.Same:N0} same");
        }
    }

    /// <summary>A change in one word.</summary>
    public static string Word(NarChange change) => change switch
    {
        NarChange.Removed => "removed",
        NarChange.Added => "added",
        _ => "changed",
    };

    /// <summary>A kind of trace in words.</summary>
    public static string Word(TraceKind kind) => kind switch
    {
        TraceKind.Time => "time",
        TraceKind.BuildPath => "build path",
        _ => "store path",
    };

    private void Tell(ContentDifference contents, long longer)
    {
        var length = longer is 0 ? "" : $"; b is {Math.Abs(longer):N0} bytes {(longer > 0 ? "longer" : "shorter")}";
        var place = $"byte {contents.First:N0} (0x{contents.First:x})";
        output.WriteLine(contents.Bytes is 0 ? $"    equal up to {place}{length}"
            : $"    {contents.Bytes:N0} {(contents.Bytes is 1 ? "byte differs" : "bytes differ")} in place, from {place} on{length}");
        TellTraces("a", contents.OnlyInA);
        TellTraces("b", contents.OnlyInB);
        if (contents.Lines is { } lines)
        {
            foreach (var line in lines)
            {
                output.WriteLine($"    {line}");
            }

            return;
        }

        TellWindow("a", contents.WindowStart, contents.WindowA);
        TellWindow("b", contents.WindowStart, contents.WindowB);
    }

    private void TellTraces(string side, IReadOnlyList<Trace> traces)
    {
        foreach (var kind in traces.GroupBy(trace => trace.Kind))
        {
            output.WriteLine($"    looks like a {Word(kind.Key)}, only in {side}: {string.Join(", ", kind.Select(trace => trace.Text))}");
        }
    }

    private void TellWindow(string side, long start, byte[] window)
    {
        for (var row = 0; row < window.Length; row += 16)
        {
            var bytes = window.AsSpan(row, Math.Min(16, window.Length - row));
            var text = new StringBuilder(16);
            foreach (var value in bytes)
            {
                text.Append(Visible.Contains(value) ? (char)value : '.');
            }

            var hex = string.Join(' ', bytes.ToArray().Select(value => value.ToString("x2", CultureInfo.InvariantCulture)));
            output.WriteLine($"    {side} {start + row:x8}  {hex,-47}  {text}");
        }

        if (window.Length is 0)
        {
            output.WriteLine($"    {side} {start:x8}  (its end)");
        }
    }

    private static string Name(NarSource source)
    {
        var facts = source.NarHash is null ? "" : $": {source.NarHash}, {source.NarSize:N0} bytes";
        return Printable.Of(Encoding.UTF8.GetBytes(source.Name)) + facts;
    }

    private static string Describe(NarNode node) => node.Kind switch
    {
        NarNodeKind.Directory => "directory",
        NarNodeKind.Symlink => $"link to {node.Target}",
        _ => $"{(node.IsExecutable ? "executable" : "file")} of {node.Size:N0} bytes",
    };
}
