using System.Globalization;
using TrustixProxy.IO.Metering;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Writes quantities as people read them.</summary>
internal static class Figures
{
    private static readonly string[] Units = ["bytes", "KB", "MB", "GB", "TB"];

    /// <summary>A length of time: <c>3.2 ms</c>, <c>140 ms</c>, <c>2.5 s</c>; a dash for none.</summary>
    public static string Of(TimeSpan? time) => time switch
    {
        null => "-",
        { TotalMilliseconds: < 10 } little => Text(little.TotalMilliseconds, "0.#", "ms"),
        { TotalMilliseconds: < 1000 } some => Text(some.TotalMilliseconds, "0", "ms"),
        { } much => Text(much.TotalSeconds, "0.#", "s"),
    };

    /// <summary>An amount of bytes: <c>512 bytes</c>, <c>1.4 MB</c>.</summary>
    public static string Of(long bytes)
    {
        var (value, unit) = ((double)bytes, 0);
        while (value >= 1000 && unit < Units.Length - 1)
        {
            (value, unit) = (value / 1000, unit + 1);
        }

        return Text(value, value < 10 && unit > 0 ? "0.#" : "0", Units[unit]);
    }

    /// <summary>A share in percent, rounded down: 100 % only of all.</summary>
    public static string Share(long part, long all) => all is 0 ? "-" : Text(100 * part / all, "0", "%");

    /// <summary>A number of things, in the singular if it is one.</summary>
    public static string Count(long number, string one, string many) =>
        string.Create(CultureInfo.InvariantCulture, $"{number:N0} {(number is 1 ? one : many)}");

    /// <summary>Adds up how long all answers took.</summary>
    public static Timings Took(IEnumerable<AnswerSpan> spans) => Timings.Sum(spans.Select(span => span.Took));

    /// <summary>Adds up how often an answer with one of these words was given.</summary>
    public static int Number(IEnumerable<AnswerSpan> spans, params IReadOnlyCollection<string> words) =>
        spans.Sum(span => span.Counts.Where(count => words.Contains(count.Key)).Sum(count => count.Value));

    private static string Text(double value, string format, string unit) =>
        $"{value.ToString(format, CultureInfo.InvariantCulture)} {unit}";
}
