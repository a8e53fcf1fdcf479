namespace TrustixProxy.IO.Metering;

/// <summary>Answers of one span of time.</summary>
/// <param name="Counts">Number of answers by their word.</param>
/// <param name="Took">How long those took whose time is known.</param>
public sealed record AnswerSpan(DateTimeOffset From, IReadOnlyDictionary<string, int> Counts, Timings Took);

/// <summary>Answers of the last day, by spans of half an hour: how many of which kind, and how long they took. For display; in bounded
/// memory.</summary>
public sealed class AnswerHistory(TimeProvider time)
{
    /// <summary>Number of spans, and minutes of each.</summary>
    public const int Spans = 48, Minutes = 30;

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
