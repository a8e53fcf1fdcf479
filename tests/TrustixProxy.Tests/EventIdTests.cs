using System.Globalization;
using System.Text.RegularExpressions;

namespace TrustixProxy.Tests;

/// <summary>Checks that an event id names one message, so that a filter on it selects nothing else.</summary>
public sealed partial class EventIdTests
{
    [GeneratedRegex(@"LoggerMessage\(\s*(?:EventId\s*=\s*)?(\d+)")]
    private static partial Regex EventId { get; }

    [Fact]
    public void No_event_id_occurs_twice() => Assert.Empty(Faults(Sources));

    [Fact]
    public void Every_message_has_an_event_id() =>
        Assert.All(Sources, source =>
            Assert.Equal(source.Text.Split("[LoggerMessage").Length - 1, EventId.Count(source.Text)));

    [Fact]
    public void Two_classes_with_one_id_and_a_class_out_of_order_are_found()
    {
        (string, string)[] sources =
        [
            ("AlphaLog", "[LoggerMessage(3001, LogLevel.Error, \"a\")] [LoggerMessage(\n        3003, LogLevel.Error, \"b\")]"),
            ("BetaLog", "[LoggerMessage(3001, LogLevel.Error, \"c\")]"),
            ("GammaLog", "[LoggerMessage(3102, LogLevel.Error, \"d\")] [LoggerMessage(3101, LogLevel.Error, \"e\")]"),
        ];

        Assert.Equal(
            ["3001 is in AlphaLog, BetaLog", "30xx is shared by AlphaLog, BetaLog", "GammaLog is not in ascending order"], Faults(sources));
    }

    private static IEnumerable<(string Name, string Text)> Sources =>
        Repository.Sources("src").Select(file => (Path.GetFileNameWithoutExtension(file), File.ReadAllText(file)));

    /// <summary>Lists ids that occur twice, hundreds that two classes share, and classes whose ids do not ascend.</summary>
    private static IEnumerable<string> Faults(IEnumerable<(string Name, string Text)> sources)
    {
        var classes = sources.Select(source => (source.Name, Ids: Ids(source.Text))).Where(entry => entry.Ids.Length > 0).ToList();
        var uses = classes.SelectMany(entry => entry.Ids.Select(id => (Id: id, entry.Name))).ToList();
        var twice = uses.GroupBy(use => use.Id).Where(group => group.Count() > 1)
            .Select(group => $"{group.Key} is in {Names(group.Select(use => use.Name))}");
        var shared = uses.Distinct().GroupBy(use => use.Id / 100, use => use.Name).Where(group => group.Distinct().Count() > 1)
            .Select(group => $"{group.Key}xx is shared by {Names(group.Distinct())}");
        var unordered = classes.Where(entry => !entry.Ids.Order().SequenceEqual(entry.Ids))
            .Select(entry => $"{entry.Name} is not in ascending order");
        return [.. twice, .. shared, .. unordered];
    }

    private static int[] Ids(string text) =>
        [.. EventId.Matches(text).Select(match => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture))];

    private static string Names(IEnumerable<string> names) => string.Join(", ", names.Order(StringComparer.Ordinal));
}
