using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using TrustixProxy.Terminal;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests.Operations;

/// <summary>Traces and metrics reach a collector, and nobody else.</summary>
[Collection(nameof(ProcessMetrics))]
public sealed class OtlpTests
{
    [Fact]
    public async Task A_decision_is_traced_from_its_electors_to_its_end_and_nothing_of_that_reaches_logs_or_upstreams()
    {
        var (output, told, traced) = (TestOutput.Make(), new ConcurrentDictionary<string, string>(), new ConcurrentQueue<string>());
        await using var collector = await FakeUpstream.StartAsync();
        collector.Intercept = async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            told.AddOrUpdate(context.Request.Path.Value!, Encoding.Latin1.GetString(body.ToArray()), (_, before) =>
                before + Encoding.Latin1.GetString(body.ToArray()));
            context.Response.ContentType = "application/x-protobuf";
            return true;
        };
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Upstream().Intercept = context =>
        {
            foreach (
                var name in context.Request.Headers.Keys.Where(name => name is "traceparent" or "tracestate" or "baggage" or "Request-Id"))
            {
                traced.Enqueue(name);
            }

            return Task.FromResult(false);
        };
        await proxy.Publish(output, "alice", "bob").StartAsync();

        using (new OtlpExport(new Uri(collector.Url, "otlp"), "TrustixProxy.Substituter"))
        {
            var isServed = new TaskCompletionSource();
            using var steps = new ActivityListener
            {
                ShouldListenTo = source => source.Name is "TrustixProxy.Substituter",
                ActivityStopped = step => _ = step.OperationName is "nar" && isServed.TrySetResult()
            };
            ActivitySource.AddActivityListener(steps);
            await proxy.NarAsync(await proxy.NarInfoAsync(output));
            await isServed.Task.WaitAsync(TimeSpan.FromSeconds(30)); // the client has it a moment before that
        }

        string[] expected = [
            "decide", "elector", "upstream", "nar", "alice", "bob", "main", output.Path.Digest.ToString(), "2 of 3 needed: alice=sha256:"];
        Assert.All(expected, step => Assert.Contains(step, told["/otlp/v1/traces"], StringComparison.Ordinal));
        Assert.Contains("trustix_proxy_decisions", told["/otlp/v1/metrics"], StringComparison.Ordinal);
        Assert.Contains("trustix_proxy_log_state", told["/otlp/v1/metrics"], StringComparison.Ordinal);
        Assert.Empty(traced);
    }

    [Fact]
    public async Task A_collector_that_is_not_there_is_of_no_account()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(output, "alice", "bob").StartAsync();
        var gone = await FakeUpstream.StartAsync();
        var url = gone.Url;
        await gone.DisposeAsync();

        using (new OtlpExport(url, "TrustixProxy.Substituter"))
        {
            await proxy.NarAsync(await proxy.NarInfoAsync(output));
        }
    }
}
