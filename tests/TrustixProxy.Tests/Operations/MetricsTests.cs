using System.Diagnostics.Metrics;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Terminal;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Tests.Operations;

/// <summary>Meters are the process's: no other test may run a proxy meanwhile.</summary>
[CollectionDefinition(nameof(ProcessMetrics), DisableParallelization = true)]
public sealed class ProcessMetrics;

/// <summary>What <c>/metrics</c> shows, read as strictly as any scraper does.</summary>
[Collection(nameof(ProcessMetrics))]
public sealed partial class MetricsTests
{
    [Fact]
    public async Task A_proxys_page_is_in_the_format_and_counts_what_has_happened()
    {
        var (agreed, split) = (TestOutput.Make("agreed", 100_000), TestOutput.Make("split"));
        using var text = new PrometheusText("TrustixProxy.Substituter");
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Metrics = text.AnswerAsync;
        proxy.Publish(agreed, "alice", "bob").Publish(split, "alice");
        proxy.Log("bob").Publish(split.Forge().Statement);
        proxy.Log("carol").Lie = LogLie.ForgedSignature;
        await proxy.StartAsync();
        await proxy.NarAsync(await proxy.NarInfoAsync(agreed));
        await proxy.NarInfoAsync(agreed);
        Assert.Equal("conflict", (await proxy.AskAsync(split.Path)).Decision);

        var page = await ScrapeAsync(proxy);

        Assert.True(Value(page, "trustix_proxy_decisions_total", ("outcome", "agreed"), ("verdict", "agreed")) >= 1);
        Assert.True(Value(page, "trustix_proxy_decisions_total", ("outcome", "conflict"), ("verdict", "conflict")) >= 1);
        Assert.True(Value(page, "trustix_proxy_elector_answers_total", ("elector", "alice"), ("answer", "with")) >= 1);
        Assert.True(Value(page, "trustix_proxy_proof_failures_total", ("elector", "carol"), ("kind", "head-signature")) >= 1);
        Assert.True(Value(page, "trustix_proxy_cache_lookups_total", ("tier", "memory"), ("result", "hit")) >= 2);
        Assert.True(Value(page, "trustix_proxy_cache_lookups_total", ("tier", "disk"), ("result", "miss")) >= 1);
        Assert.True(Value(page, "trustix_proxy_nar_bytes_total", ("result", "verified")) >= agreed.Nar.Length);
        Assert.True(Value(page, "trustix_proxy_upstream_answers_total", ("upstream", "main"), ("answer", "found")) >= 2);
        Assert.Equal(1, Value(page, "trustix_proxy_upstream_up", ("upstream", "main")));
        Assert.Equal(1, Value(page, "trustix_proxy_rule_reachable", ("match", "*")));
        Assert.Equal(2, Value(page, "trustix_proxy_log_entries", ("log", "alice")));
        Assert.True(Value(page, "trustix_proxy_cache_memory_bytes") > 0);
        Assert.All(page["trustix_proxy_log_state"].Samples.GroupBy(sample => sample.Labels["log"]), log =>
            Assert.Equal(1, log.Sum(sample => sample.Value)));
        Assert.Contains(page["trustix_proxy_decision_seconds"].Samples, sample => sample.Name.EndsWith("_count", StringComparison.Ordinal)
            && sample.Value >= 1);
    }

    [Fact]
    public async Task A_log_nodes_page_is_in_the_format()
    {
        using var text = new PrometheusText("TrustixProxy.LogNode");
        await using var node = await new TestLogNode { Metrics = text.AnswerAsync }.StartAsync();
        await node.SubmitAsync(("key"u8.ToArray(), "value"u8.ToArray()));

        var page = Exposition.Parse(await node.Client.GetStringAsync(new Uri(node.PrivateUrl, "/metrics")));

        Assert.True(Value(page, "trustix_log_submitted_items_total", ("log", "test")) >= 1);
        AllAreInTheDocuments(page, "trustix_log_");
    }

    [Fact]
    public async Task A_log_nodes_page_shows_its_witnesses()
    {
        const string origin = "log.example/nix";
        using var text = new PrometheusText("TrustixProxy.LogNode");
        await using var node = new TestLogNode { Metrics = text.AnswerAsync };
        using var witnesses = new FakeWitnesses(VerifierKey.OfLog(origin, node.Signer.Key),
            VerifierKey.OfLog(origin + Checkpoint.MapHeads, node.Signer.Key), new TestWitness("w1", 1), new TestWitness("w2", 2));
        var policy = new WitnessOptions(witnesses.Policy(2), TimeSpan.FromMilliseconds(50), IsWithheld: true);
        node.Change = options => options with
        {
            Network = witnesses,
            Logs = [options.Logs[0] with { Origin = origin, Witnesses = policy }],
        };
        await node.StartAsync();
        await node.SubmitAsync(("key"u8.ToArray(), "value"u8.ToArray()));
        await Eventually.UntilAsync(async () => (await node.HeadAsync()).TreeSize is 1);
        await Eventually.UntilAsync(async () =>
            Value(Exposition.Parse(await node.Client.GetStringAsync(new Uri(node.PrivateUrl, "/metrics"))),
                "trustix_log_witnesses_answering", ("log", "test")) is 2);

        var page = Exposition.Parse(await node.Client.GetStringAsync(new Uri(node.PrivateUrl, "/metrics")));

        Assert.True(Value(page, "trustix_log_cosigning_rounds_total", ("log", "test"), ("result", "cosigned")) >= 1);
        Assert.InRange(Value(page, "trustix_log_cosigned_age_seconds", ("log", "test")), 0, 60);
        Assert.Equal(0, Value(page, "trustix_log_signing_stopped", ("log", "test")));
        AllAreInTheDocuments(page, "trustix_log_");
    }

    [Fact]
    public async Task A_publishers_page_is_in_the_format_and_its_health_says_what_keeps_jobs()
    {
        using var folder = new Folder();
        using var text = new PrometheusText(SpoolMetrics.MeterName);
        using var publisher = new SpoolPublisher(new PublisherOptions
        {
            Url = new Uri("http://127.0.0.1:1"),
            Token = NixSecretKey.Generate("builder"),
            SpoolDirectory = folder.File("spool")
        }, NullLogger.Instance);
        folder.File("spool/0.job", "nonsense");
        var built = TestOutput.Make("x").Statement;
        folder.File("spool/1.info", $"[{System.Text.Encoding.ASCII.GetString(built.Value)}]");
        folder.File("spool/1.job", $"{TestOutput.PathOf("x.drv").Absolute}\n{built.Path.Absolute}\n");
        await using var app = PublisherHost.Create(publisher, ["http://127.0.0.1:0"], _ => { }, text.AnswerAsync);
        await app.StartAsync();
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };

        var before = await client.GetStringAsync("/healthz");
        using var stop = new CancellationTokenSource();
        var publishing = publisher.RunAsync(stop.Token);
        HttpResponseMessage health;
        for (health = await client.GetAsync("/healthz"); health.IsSuccessStatusCode; health = await client.GetAsync("/healthz"))
        {
            await Task.Delay(20);
        }

        var page = Exposition.Parse(await client.GetStringAsync("/metrics"));
        using var other = await client.PostAsync("/healthz", null);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => publishing);
        Assert.Equal("ok\n", before);
        Assert.Equal(
            (503, "the log cannot be reached; jobs waiting: 1\n"), ((int)health.StatusCode, await health.Content.ReadAsStringAsync()));
        Assert.Equal(404, (int)other.StatusCode);
        Assert.Equal(1, Value(page, "trustix_spool_jobs"));
        Assert.True(Value(page, "trustix_spool_oldest_job_seconds") > 0);
        Assert.True(Value(page, "trustix_publish_passes_total", ("fault", "unreachable")) >= 1);
        Assert.Equal(1, Value(page, "trustix_publish_jobs_lost_total", ("reason", "rejected")));
        Assert.Equal(0, Value(page, "trustix_publish_paths_total", ("result", "published")));
        AllAreInTheDocuments(page, "trustix_spool_", "trustix_publish_");
    }

    [Fact]
    public async Task Labels_of_any_text_are_escaped_bounded_in_number_and_gone_with_what_they_name()
    {
        using var meter = new Meter("test-of-text");
        using var text = new PrometheusText("test-of-text");
        string[] names = ["a\"b\\c\nd{}=,é", "other"];
        meter.CreateObservableGauge("test_state", () =>
            names.Select(name => new Measurement<double>(1, new KeyValuePair<string, object?>("name", name))), description: "Any text.");
        var counter = meter.CreateCounter<long>("test_things", description: "Things.");
        for (var i = 0; i < 5000; i++)
        {
            counter.Add(1, new KeyValuePair<string, object?>("thing", i));
        }

        var first = Exposition.Parse(await WriteAsync(text));
        names = ["other"];
        var second = Exposition.Parse(await WriteAsync(text));

        Assert.Contains(first["test_state"].Samples, sample => sample.Labels["name"] is """a\"b\\c\nd{}=,é""");
        Assert.Equal("other", Assert.Single(second["test_state"].Samples).Labels["name"]);
        Assert.Equal(1000, first["test_things_total"].Samples.Count);
    }

    [Fact]
    public async Task The_documents_name_every_metric_of_the_proxy_and_no_other()
    {
        using var text = new PrometheusText("TrustixProxy.Substituter");
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Metrics = text.AnswerAsync;
        await proxy.StartAsync();

        AllAreInTheDocuments(await ScrapeAsync(proxy), "trustix_proxy_");
    }

    /// <summary>Of the names that begin so, the page and the documents have the same.</summary>
    private static void AllAreInTheDocuments(IReadOnlyDictionary<string, MetricFamily> page, params string[] prefixes)
    {
        Assert.Equal(Ours(page.Keys), Ours(Named.Matches(Repository.DocumentsText).Select(match => match.Groups[1].Value).Distinct()));

        IEnumerable<string> Ours(IEnumerable<string> names) =>
            names.Where(name => prefixes.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal))).Order(StringComparer.Ordinal);
    }

    private static double Value(IReadOnlyDictionary<string, MetricFamily> page, string name, params (string Label, string Value)[] labels)
    {
        var found = page[name].Samples.Where(sample => sample.Labels.Count == labels.Length
            && labels.All(label => sample.Labels.GetValueOrDefault(label.Label) == label.Value)).ToList();
        return found.Count is 1 ? found[0].Value
            : throw new InvalidOperationException($"{name} has {string.Join("; ", page[name].Samples)}");
    }

    internal static async Task<IReadOnlyDictionary<string, MetricFamily>> ScrapeAsync(TestProxy proxy)
    {
        using var response = await proxy.Client.GetAsync(new Uri(proxy.OperationsUrl, "/metrics"));
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", response.Content.Headers.ContentType!.ToString());
        return Exposition.Parse(await response.Content.ReadAsStringAsync());
    }

    internal static async Task<string> WriteAsync(PrometheusText text)
    {
        using var body = new MemoryStream();
        var context = new DefaultHttpContext { Response = { Body = body } };
        await text.AnswerAsync(context);
        return System.Text.Encoding.UTF8.GetString(body.ToArray());
    }

    [GeneratedRegex(@"`(trustix_(?:proxy|log|spool|publish)_[a-z_]+)[`{]")]
    private static partial Regex Named { get; }
}
