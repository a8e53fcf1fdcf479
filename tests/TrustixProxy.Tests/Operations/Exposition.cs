using System.Globalization;
using System.Text.RegularExpressions;

namespace TrustixProxy.Tests.Operations;

/// <summary>One family of a metrics page.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">counter, gauge or histogram.</param>
/// <param name="Samples">Values by name and labels, as they are written.</param>
internal sealed record MetricFamily(
    string Name, string Type, IReadOnlyList<(string Name, IReadOnlyDictionary<string, string> Labels, double Value)> Samples);

/// <summary>A strict reader of Prometheus' text format, version 0.0.4: whatever a scraper may refuse or misread is a fault.</summary>
internal static partial class Exposition
{
    /// <exception cref="FormatException">It is not in the format; names the line.</exception>
    public static IReadOnlyDictionary<string, MetricFamily> Parse(string text)
    {
        var families = new Dictionary<string, MetricFamily>();
        Check(text.EndsWith('\n'), text.Length, "the last line has no end");
        var lines = text[..^1].Split('\n');
        for (var i = 0; i < lines.Length;)
        {
            var help = Help.Match(lines[i]);
            Check(help.Success, i, $"is no HELP: {lines[i]}");
            var name = help.Groups[1].Value;
            var type = i + 1 < lines.Length ? TypeLine.Match(lines[i + 1]) : Match.Empty;
            Check(type.Success && type.Groups[1].Value == name, i + 1, $"is no TYPE of {name}");
            Check(type.Groups[2].Value is "counter" == name.EndsWith("_total", StringComparison.Ordinal), i + 1,
                $"counters, and they alone, end in _total: {name}");
            var samples = new List<(string Name, IReadOnlyDictionary<string, string> Labels, double Value)>();
            for (i += 2; i < lines.Length && lines[i].Length > 0 && lines[i][0] is not '#'; i++)
            {
                samples.Add(ReadSample(lines[i], i));
            }

            var family = new MetricFamily(name, type.Groups[2].Value, samples);
            CheckFamily(family, i);
            Check(families.TryAdd(name, family), i, $"has {name} a second time");
        }

        return families;
    }

    private static (string Name, IReadOnlyDictionary<string, string> Labels, double Value) ReadSample(string line, int number)
    {
        var match = Sample.Match(line);
        Check(match.Success, number, $"is no sample: {line}");
        var labels = new Dictionary<string, string>();
        foreach (Match label in Label.Matches(match.Groups[2].Value))
        {
            Check(labels.TryAdd(label.Groups[1].Value, label.Groups[2].Value), number, $"has a label twice: {line}");
        }

        var number64 = match.Groups[3].Value is "+Inf" ? double.PositiveInfinity
            : double.Parse(match.Groups[3].Value, NumberStyles.Float, CultureInfo.InvariantCulture);
        return (match.Groups[1].Value, labels, number64);
    }

    private static void CheckFamily(MetricFamily family, int line)
    {
        string[] names = family.Type is "histogram" ? [$"{family.Name}_bucket", $"{family.Name}_sum", $"{family.Name}_count"]
            : [family.Name];
        Check(family.Samples.All(sample => names.Contains(sample.Name)), line, $"{family.Name} has a sample of another name");
        Check(family.Samples.Select(sample => sample.Name + Text(sample.Labels)).Distinct().Count() == family.Samples.Count, line,
            $"{family.Name} has a sample twice");
        Check(family.Type is not "counter" || family.Samples.All(sample => sample.Value >= 0), line, $"{family.Name} is less than nothing");
        if (family.Type is not "histogram")
        {
            return;
        }

        foreach (var series in family.Samples.GroupBy(sample => Text(sample.Labels.Where(label => label.Key is not "le"))))
        {
            var buckets = series.Where(sample => sample.Name == names[0]).ToList();
            var bounds = buckets.Select(bucket => bucket.Labels["le"] is "+Inf" ? double.PositiveInfinity
                : double.Parse(bucket.Labels["le"], CultureInfo.InvariantCulture)).ToList();
            Check(bounds.Order().SequenceEqual(bounds) && double.IsPositiveInfinity(bounds[^1]), line,
                $"{family.Name}: buckets are in disorder, or have no end");
            Check(buckets.Select(bucket => bucket.Value).Order().SequenceEqual(buckets.Select(bucket => bucket.Value)), line,
                $"{family.Name}: buckets do not add up");
            Check(series.Single(sample => sample.Name == names[2]).Value.Equals(buckets[^1].Value), line,
                $"{family.Name}: the count is not the last bucket's");
            Check(series.Count(sample => sample.Name == names[1]) is 1, line, $"{family.Name} has no sum");
        }
    }

    private static string Text(IEnumerable<KeyValuePair<string, string>> labels) =>
        string.Join(',', labels.OrderBy(label => label.Key, StringComparer.Ordinal).Select(label => $"{label.Key}={label.Value}"));

    private static void Check(bool isGood, int line, string fault)
    {
        if (!isGood)
        {
            throw new FormatException($"line {line + 1}: {fault}");
        }
    }

    [GeneratedRegex(@"^# HELP ([a-z][a-z0-9_]*) [A-Z](?:[^\\\n]|\\\\|\\n)*\.$")]
    private static partial Regex Help { get; }

    [GeneratedRegex("^# TYPE ([a-z][a-z0-9_]*) (counter|gauge|histogram)$")]
    private static partial Regex TypeLine { get; }

    [GeneratedRegex("""^([a-z][a-z0-9_]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\\\|\\"|\\n)*",?)+(?<!,))\})? (\+Inf|-?[0-9]+(?:\.[0-9]+)?(?:E[+-]?[0-9]+)?)$""")]
    private static partial Regex Sample { get; }

    [GeneratedRegex("""([a-z_]+)="((?:[^"\\]|\\.)*)"(?:,|$)""")]
    private static partial Regex Label { get; }
}
