namespace TrustixProxy.IO.Metering;

/// <summary>Answers of one span of time.</summary>
/// <param name="Counts">Number of answers by their word.</param>
/// <param name="Took">How long those took whose time is known.</param>
public sealed record AnswerSpan(DateTimeOffset From, IReadOnlyDictionary<string, int> Counts, Timings Took);

/// <summary>A number of one span of time, as it is stored.</summary>
/// <param name="Span">Number of the span.</param>
/// <param name="Word">What was counted.</param>
public readonly record struct CountRow(long Span, string Word, long Count);

/// <summary>Answers of the last day, by spans of half an hour: how many of which kind, and how long they took. For display; in bounded
/// memory.</summary>
public sealed class AnswerHistory(TimeProvider time)
{
    /// <summary>Number of spans, and minutes of each.</summary>
    public const int Spans = 48, Minutes = 30;

    private const char OfTime = '~'; // before the class of a length of time, where a row has a word
    private const int MaxWords = 32;

    private readonly Lock _turn = new();
    private readonly SpanRing<Slot> _spans = new(time, TimeSpan.FromMinutes(Minutes), Spans);

    /// <summary>Counts an answer.</summary>
    /// <param name="word">Its kind, one of few.</param>
    /// <param name="took">How long it took; null if that is not known.</param>
    public void Add(string word, TimeSpan? took)
    {
        lock (_turn)
        {
            var slot = _spans.Now;
            slot.Counts[word] = slot.Counts.GetValueOrDefault(word) + 1;
            if (took is { } length)
            {
                slot.Took.Add(length);
            }
        }
    }

    /// <summary>Returns the rows that can have changed lately: those of the newest two spans.</summary>
    public IReadOnlyList<CountRow> Newest()
    {
        lock (_turn)
        {
            return
            [
                .. new[] { _spans.Number - 1, _spans.Number }.SelectMany(number => _spans.At(number) is not { } slot ? []
                    : slot.Counts.Select(count => new CountRow(number, count.Key, count.Value))
                        .Concat(slot.Took.Held.Select(held => new CountRow(number, $"{OfTime}{held.Class}", held.Count)))),
            ];
        }
    }

    /// <summary>Adds what an earlier process counted.</summary>
    public void Restore(IEnumerable<CountRow> rows)
    {
        lock (_turn)
        {
            foreach (var row in rows.Where(row => row.Count is > 0 and < int.MaxValue / 2))
            {
                var (slot, count) = (_spans.At(row.Span), (int)row.Count);
                if (slot is not null && row.Word is [OfTime, .. var text] && int.TryParse(text, out var ofClass))
                {
                    slot.Took.Add(ofClass, count);
                }
                else if (slot is not null && (slot.Counts.Count < MaxWords || slot.Counts.ContainsKey(row.Word)))
                {
                    slot.Counts[row.Word] = slot.Counts.GetValueOrDefault(row.Word) + count;
                }
            }
        }
    }

    /// <summary>Returns the spans, oldest first.</summary>
    public IReadOnlyList<AnswerSpan> List()
    {
        lock (_turn)
        {
            return
            [
                .. _spans.List().Select(span => span.Value is not { } slot ? new AnswerSpan(span.From, new Dictionary<string, int>(), new())
                    : new AnswerSpan(span.From, new Dictionary<string, int>(slot.Counts), Timings.Sum([slot.Took]))),
            ];
        }
    }

    private sealed class Slot
    {
        public Dictionary<string, int> Counts { get; } = [];

        public Timings Took { get; } = new();
    }
}
