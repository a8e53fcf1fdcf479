using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Publisher;
using TrustixProxy.Terminal;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests.Operations;

/// <summary>The alert rules for Prometheus and the dashboard for Grafana are about what <c>/metrics</c> shows, and Prometheus can read
/// every expression in them.</summary>
[Collection(nameof(ProcessMetrics))]
public sealed partial class MonitoringTests
{
    private static readonly JsonObject Dashboard = JsonNode.Parse(Repository.Read("nix/grafana.json"))!.AsObject();

    [Fact]
    public async Task Alerts_are_about_metrics_and_labels_that_exist()
    {
        var rules = Repository.Read("nix/alerts.yaml");
        var used = Use.Matches(rules);

        AllExist(rules, await PageAsync());

        string[] names = ["TrustixLogFrozen", "TrustixEvidenceKept", "TrustixQuorumUnreachable", "TrustixConflictsRising"];
        Assert.Subset(Alert.Matches(rules).Select(match => match.Groups[1].Value).ToHashSet(), names.ToHashSet());
        Assert.Equal(Alert.Count(rules), Expression.Count(rules));
        Assert.All(Expression.Matches(rules), expression =>
            Assert.Contains(used, use => use.Index > expression.Index && use.Index < expression.Index + expression.Length));
    }

    [Fact]
    public async Task Prometheus_reads_the_alerts() => await Packaging.Command.RunAsync(
        "promtool", ["check", "rules", Path.Combine(Repository.Root, "nix/alerts.yaml")]);

    [Fact]
    public async Task Panels_of_the_dashboard_are_about_metrics_and_labels_that_exist()
    {
        var page = await PageAsync();

        Assert.True(Expressions().Count() > 40);
        Assert.All(Expressions(), expression => Assert.NotEmpty(Use.Matches(expression)));
        AllExist(string.Join('\n', Expressions()), page);
        foreach (var sum in Expressions().SelectMany(expression => Sum.Matches(expression)))
        {
            var family = page.GetValueOrDefault(sum.Groups[2].Value) ?? page[Part.Replace(sum.Groups[2].Value, "")];
            Assert.All(sum.Groups[1].Value.Split(", "), label => Assert.True(
                family.Samples.Count is 0 || family.Samples.Any(sample => sample.Labels.ContainsKey(label)), $"{sum.Value}: no {label}"));
        }
    }

    [Fact]
    public void Each_panel_has_a_title_an_explanation_a_query_and_a_place_of_its_own()
    {
        var panels = Panels().ToList();
        var places = panels.SelectMany(panel => Cells(panel["gridPos"]!)).ToList();
        var variables = Dashboard["templating"]!["list"]!.AsArray().Select(variable => $"${variable!["name"]}").ToList();

        Assert.Equal(panels.Count, panels.Select(panel => (int)panel["id"]!).Distinct().Count());
        Assert.Equal(places.Count, places.Distinct().Count());
        Assert.Equal(["$datasource", "$instance"], variables);
        foreach (var panel in panels.Where(panel => (string)panel["type"]! is not "row"))
        {
            Assert.False(string.IsNullOrEmpty((string?)panel["title"]));
            Assert.EndsWith(".", (string?)panel["description"], StringComparison.Ordinal);
            Assert.Equal("${datasource}", (string?)panel["datasource"]!["uid"]);
            var targets = panel["targets"]!.AsArray();
            Assert.NotEmpty(targets);
            Assert.Equal(targets.Count, targets.Select(target => (string?)target!["refId"]).Distinct().Count());
        }

        // a variable that nobody defines would be sent as it is
        Assert.All(Expressions().SelectMany(expression => Variable.Matches(expression)),
            variable => Assert.Contains(variable.Value, (string[])[.. variables, "$__rate_interval"]));
    }

    [Fact]
    public async Task Prometheus_reads_the_query_of_each_panel()
    {
        using var folder = new Folder();
        var rules = new JsonObject
        {
            ["groups"] = new JsonArray(new JsonObject
            {
                ["name"] = "dashboard",
                ["rules"] = new JsonArray([.. Expressions().Select((expression, i) => new JsonObject
                {
                    ["record"] = $"panel:{i}",
                    ["expr"] = expression.Replace("$__rate_interval", "5m", StringComparison.Ordinal)
                        .Replace("$instance", ".*", StringComparison.Ordinal),
                })]),
            }),
        };

        await Packaging.Command.RunAsync("promtool", ["check", "rules", folder.File("rules.yaml", rules.ToJsonString())]);
    }

    private static IEnumerable<JsonObject> Panels() => Dashboard["panels"]!.AsArray().Select(panel => panel!.AsObject());

    private static IEnumerable<string> Expressions() => Panels().SelectMany(panel => panel["targets"]?.AsArray() ?? [])
        .Select(target => (string)target!["expr"]!);

    private static IEnumerable<(int, int)> Cells(JsonNode place) => Enumerable.Range((int)place["x"]!, (int)place["w"]!)
        .SelectMany(x => Enumerable.Range((int)place["y"]!, (int)place["h"]!).Select(y => (x, y)));

    /// <summary>What the proxy, the log node and the publisher show together.</summary>
    private static async Task<Dictionary<string, MetricFamily>> PageAsync()
    {
        using var text = new PrometheusText("TrustixProxy.Substituter");
        using var nodeText = new PrometheusText("TrustixProxy.LogNode");
        await using var node = await new TestLogNode { Metrics = nodeText.AnswerAsync }.StartAsync();
        await node.SubmitAsync(("key"u8.ToArray(), "value"u8.ToArray()));
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Metrics = text.AnswerAsync;
        await proxy.StartAsync();
        using var folder = new Folder();
        using var spoolText = new PrometheusText(SpoolMetrics.MeterName);
        using var publisher = new SpoolPublisher(
            new PublisherOptions { Url = node.PrivateUrl, Token = node.Token, SpoolDirectory = folder.File("spool") }, NullLogger.Instance);
        await publisher.OnceAsync(default);
        return (await MetricsTests.ScrapeAsync(proxy))
            .Concat(Exposition.Parse(await node.Client.GetStringAsync(new Uri(node.PrivateUrl, "/metrics"))))
            .Concat(Exposition.Parse(await MetricsTests.WriteAsync(spoolText))).ToDictionary();
    }

    /// <summary>The page has each metric that a text uses, with the labels, and for gauges the values of labels, that it names.</summary>
    private static void AllExist(string text, Dictionary<string, MetricFamily> page)
    {
        foreach (Match use in Use.Matches(text))
        {
            var family = page.GetValueOrDefault(use.Groups[1].Value) ?? page.GetValueOrDefault(Part.Replace(use.Groups[1].Value, ""));
            Assert.True(family is not null, $"there is no {use.Groups[1].Value}");
            Assert.True(family.Name == use.Groups[1].Value || family.Type is "histogram", $"{use.Value}: it is no histogram");
            foreach (Match label in UsedLabel.Matches(use.Groups[2].Value).Where(label => label.Groups[1].Value is not "instance"))
            {
                Assert.True(family.Samples.Count is 0 || family.Samples.Any(sample => sample.Labels.ContainsKey(label.Groups[1].Value)),
                    $"{use.Value}: it has no such label");
                Assert.True(
                    family.Type is not "gauge" || label.Groups[2].Value.Split('|').All(value => family.Samples.Any(
                        sample => sample.Labels[label.Groups[1].Value] == value)), $"{use.Value}: no such value is ever shown");
            }
        }
    }

    [GeneratedRegex(@"\b(trustix_(?:proxy|log|spool|publish)_[a-z_]+)(?:\{([^}]*)\})?")]
    private static partial Regex Use { get; }

    [GeneratedRegex("([a-z_]+)(?:=~?|!~?|!=)\"([^\"]*)\"")]
    private static partial Regex UsedLabel { get; }

    [GeneratedRegex(@"by \(([a-z_, ]+)\) \((?:rate|increase)\((trustix_[a-z_]+)")]
    private static partial Regex Sum { get; }

    [GeneratedRegex("_(bucket|sum|count)$")]
    private static partial Regex Part { get; }

    [GeneratedRegex(@"\$\w+")]
    private static partial Regex Variable { get; }

    [GeneratedRegex(@"^ +- alert: (Trustix[A-Za-z]+)$", RegexOptions.Multiline)]
    private static partial Regex Alert { get; }

    [GeneratedRegex(@"^ +expr: .+$", RegexOptions.Multiline)]
    private static partial Regex Expression { get; }
}
