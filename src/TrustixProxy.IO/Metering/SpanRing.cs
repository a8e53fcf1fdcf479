namespace TrustixProxy.IO.Metering;

/// <summary>One value for each of the last spans of time. Memory is bounded; the owner locks.</summary>
/// <param name="length">Length of a span.</param>
/// <param name="count">Number of spans that are kept.</param>
public sealed class SpanRing<T>(TimeProvider time, TimeSpan length, int count)
    where T : class, new()
{
    private readonly (long Number, T? Value)[] _spans = new (long, T?)[count];

    /// <summary>The value of the span of now.</summary>
    public T Now => At(Number)!;

    /// <summary>Number of the span of now, counted since year 1.</summary>
    public long Number => time.GetUtcNow().UtcTicks / length.Ticks;

    /// <summary>Returns the value of a span by its number; null if it is not kept.</summary>
    public T? At(long number)
    {
        if (number > Number || number <= Number - count)
        {
            return null;
        }

        ref var span = ref _spans[number % count];
        if (span.Value is null || span.Number != number)
        {
            span = (number, new T());
        }

        return span.Value;
    }

    /// <summary>Returns the spans that end with now, oldest first; null for one in which nothing happened.</summary>
    public IReadOnlyList<(DateTimeOffset From, T? Value)> List()
    {
        var first = Number + 1 - count;
        return
        [
            .. Enumerable.Range(0, count).Select(i => first + i).Select(number => (
                new DateTimeOffset(number * length.Ticks, TimeSpan.Zero),
                _spans[number % count] is var span && span.Number == number ? span.Value : null)),
        ];
    }
}
