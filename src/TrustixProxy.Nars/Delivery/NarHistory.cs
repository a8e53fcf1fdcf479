using TrustixProxy.IO.Metering;

namespace TrustixProxy.Nars.Delivery;

/// <summary>NARs of one span of time.</summary>
/// <param name="Served">Number that went out whole and verified, or as the verified part that was asked for.</param>
/// <param name="Bytes">Their bytes, as they were sent.</param>
/// <param name="Broken">Number that did not: refused by hash, or given up by the client.</param>
public sealed record NarSpan(DateTimeOffset From, int Served, long Bytes, int Broken);

/// <summary>NARs given to clients in the last day, by spans of half an hour. For display; in bounded memory.</summary>
public sealed class NarHistory(TimeProvider time)
{
    private readonly Lock _turn = new();
    private long _count;
    private readonly SpanRing<Slot> _spans = new(time, TimeSpan.FromMinutes(AnswerHistory.Minutes), AnswerHistory.Spans);

    /// <summary>Number of deliveries since this process started.</summary>
    public long Count => Interlocked.Read(ref _count);

    /// <summary>Counts a delivery that has ended.</summary>
    /// <param name="bytes">Bytes sent.</param>
    /// <param name="isVerified">Whether they were verified to the end.</param>
    public void Add(long bytes, bool isVerified)
    {
        lock (_turn)
        {
            var slot = _spans.Now;
            (slot.Served, slot.Bytes) = isVerified ? (slot.Served + 1, slot.Bytes + bytes) : (slot.Served, slot.Bytes);
            slot.Broken += isVerified ? 0 : 1;
            _count++;
        }
    }

    /// <summary>Returns the rows that can have changed lately: those of the newest two spans.</summary>
    public IReadOnlyList<CountRow> Newest()
    {
        lock (_turn)
        {
            return
            [
                .. new[] { _spans.Number - 1, _spans.Number }.Select(number => (Number: number, Slot: _spans.At(number)!)).SelectMany(
                    span => (CountRow[])[new(span.Number, "served", span.Slot.Served), new(span.Number, "bytes", span.Slot.Bytes),
                        new(span.Number, "broken", span.Slot.Broken)]),
            ];
        }
    }

    /// <summary>Adds what an earlier process counted.</summary>
    public void Restore(IEnumerable<CountRow> rows)
    {
        lock (_turn)
        {
            foreach (var row in rows.Where(row => row.Count is > 0 and < long.MaxValue / 2))
            {
                if (_spans.At(row.Span) is { } slot)
                {
                    slot.Served += row.Word is "served" ? (int)Math.Min(row.Count, int.MaxValue / 2) : 0;
                    slot.Bytes += row.Word is "bytes" ? row.Count : 0;
                    slot.Broken += row.Word is "broken" ? (int)Math.Min(row.Count, int.MaxValue / 2) : 0;
                }
            }
        }
    }

    /// <summary>Returns the spans, oldest first.</summary>
    public IReadOnlyList<NarSpan> List()
    {
        lock (_turn)
        {
            return [.. _spans.List().Select(span =>
                new NarSpan(span.From, span.Value?.Served ?? 0, span.Value?.Bytes ?? 0, span.Value?.Broken ?? 0))];
        }
    }

    private sealed class Slot
    {
        public int Served { get; set; }

        public long Bytes { get; set; }

        public int Broken { get; set; }
    }
}
