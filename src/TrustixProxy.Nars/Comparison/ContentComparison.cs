namespace TrustixProxy.Nars.Comparison;

/// <summary>Compares the contents of the two walks' current files block by block; a file that fits into one block also as text.</summary>
internal sealed class ContentComparison(NarWalk a, NarWalk b)
{
    private const int BlockSize = 64 << 10, WindowSize = 64, WindowAlignment = 16, MaxTraces = 5;

    private readonly byte[] _blockA = new byte[BlockSize], _blockB = new byte[BlockSize];

    /// <summary>Reads both files to their ends; null when they are equal.</summary>
    public async Task<ContentDifference?> RunAsync()
    {
        var finding = new Finding();
        int[] counts;
        do
        {
            counts = await Task.WhenAll(a.ReadContentsAsync(_blockA), b.ReadContentsAsync(_blockB));
            finding.Append(_blockA.AsSpan(0, counts[0]), _blockB.AsSpan(0, counts[1]));
        }
        while (counts.Max() is BlockSize);

        return finding.ToDifference();
    }

    /// <summary>Collects the differences of one pair of files.</summary>
    private sealed class Finding
    {
        private readonly List<byte> _windowA = [], _windowB = [];
        private readonly List<Trace> _headA = [], _headB = [];
        private TraceScan? _tracesA, _tracesB;
        private IReadOnlyList<string>? _lines;
        private long _offset, _first = -1, _bytes;

        public void Append(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
        {
            var prefix = a.CommonPrefixLength(b);
            if (_first < 0 && (prefix < a.Length || prefix < b.Length))
            {
                _first = _offset + prefix;
                (_tracesA, _tracesB) = (new TraceScan(), new TraceScan());
                if (_offset is 0)
                {
                    AppendHead(a, b);
                }
            }

            if (_first >= 0)
            {
                for (var i = prefix; i < Math.Min(a.Length, b.Length); i++)
                {
                    _bytes += a[i] == b[i] ? 0 : 1;
                }

                AppendWindow(_windowA, a);
                AppendWindow(_windowB, b);
                _tracesA!.Append(a);
                _tracesB!.Append(b);
            }

            _offset += BlockSize;
        }

        public ContentDifference? ToDifference()
        {
            if (_first < 0)
            {
                return null;
            }

            var (a, b) = (_tracesA!.Complete(), _tracesB!.Complete());
            return new ContentDifference(
                _first, _bytes, WindowStart, [.. _windowA], [.. _windowB], _lines, Only(_headA, a, b), Only(_headB, b, a));
        }

        private long WindowStart => _first - (_first % WindowAlignment);

        /// <summary>Returns the traces found only in the first file; none when either file has more than are kept, which leaves it
        /// unknown.</summary>
        private static IReadOnlyList<Trace> Only(List<Trace> head, IReadOnlySet<Trace>? mine, IReadOnlySet<Trace>? others) =>
            [.. head.Concat(mine is null || others is null ? [] : mine.Where(trace => !others.Contains(trace))).Take(MaxTraces)];

        private void AppendHead(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
        {
            var (timeA, timeB) = (HeaderTime.Of(a), HeaderTime.Of(b));
            if (timeA != timeB)
            {
                _headA.AddRange(timeA is null ? [] : [timeA]);
                _headB.AddRange(timeB is null ? [] : [timeB]);
            }

            if (Math.Max(a.Length, b.Length) < BlockSize)
            {
                _lines = LineDiff.Of(a, b);
            }
        }

        private void AppendWindow(List<byte> window, ReadOnlySpan<byte> block)
        {
            var from = (int)Math.Clamp(WindowStart + window.Count - _offset, 0, block.Length);
            window.AddRange(block.Slice(from, Math.Min(WindowSize - window.Count, block.Length - from)));
        }
    }
}
