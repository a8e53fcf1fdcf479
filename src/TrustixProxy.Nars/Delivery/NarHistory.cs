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
    private readonly SpanRing<Slot> _spans = new(time, TimeSpan.FromMinutes(AnswerHistory.Minutes), AnswerHistory.Spans);

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
