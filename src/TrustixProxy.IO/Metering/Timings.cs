namespace TrustixProxy.IO.Metering;

/// <summary>How long things took, counted in classes of length that are each a quarter longer than the one before. Immutable sums are made
/// by <see cref="Sum"/>; the owner locks.</summary>
public sealed class Timings
{
    private const int Classes = 56;
    private const double Shortest = 0.0001, Step = 1.25; // seconds; the longest class ends at 27 s

    private readonly int[] _counts = new int[Classes];

    /// <summary>Number of things.</summary>
    public int Count { get; private set; }

    public void Add(TimeSpan took)
    {
        _counts[ClassOf(took)]++;
        Count++;
    }

    /// <summary>The classes that hold things, with how many.</summary>
    public IEnumerable<(int Class, int Count)> Held => _counts.Index().Where(item => item.Item > 0);

    /// <summary>Adds what <see cref="Held"/> gave; what is no class is left out.</summary>
    public void Add(int ofClass, int count)
    {
        if (ofClass is >= 0 and < Classes)
        {
            _counts[ofClass] += count;
            Count += count;
        }
    }

    /// <summary>Returns the time that a share of them took at most, a quarter too long at most; null if there are none.</summary>
    /// <param name="percent">The share, from 1 to 100.</param>
    public TimeSpan? Percentile(int percent)
    {
        var (rank, seen) = ((((long)Count * percent) + 99) / 100, 0L);
        for (var i = 0; i < Classes && Count > 0; i++)
        {
            seen += _counts[i];
            if (seen >= rank)
            {
                return TimeSpan.FromSeconds(Shortest * Math.Pow(Step, i));
            }
        }

        return null;
    }

    /// <summary>Adds up.</summary>
    public static Timings Sum(IEnumerable<Timings> parts)
    {
        var sum = new Timings();
        foreach (var part in parts)
        {
            sum.Count += part.Count;
            for (var i = 0; i < Classes; i++)
            {
                sum._counts[i] += part._counts[i];
            }
        }

        return sum;
    }

    private static int ClassOf(TimeSpan took) => took.TotalSeconds <= Shortest ? 0
        : Math.Min(Classes - 1, (int)Math.Ceiling(Math.Log(took.TotalSeconds / Shortest) / Math.Log(Step)));
}
