using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace TrustixProxy.Terminal;

/// <summary>Sends traces and metrics to a collector, by OTLP over HTTP. Whatever becomes of them, nothing waits for it.</summary>
/// <remarks>Headers for the collector come from <c>OTEL_EXPORTER_OTLP_HEADERS</c>, as they may be secret. Nothing of a trace goes to logs,
/// upstreams or clients.</remarks>
internal sealed class OtlpExport : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    private readonly TracerProvider _traces;
    private readonly MeterProvider _metrics;

    /// <param name="endpoint">The collector; <c>v1/traces</c> and <c>v1/metrics</c> are below it.</param>
    /// <param name="name">The meter, and the source of traces.</param>
    public OtlpExport(Uri endpoint, string name)
    {
        var resource = ResourceBuilder.CreateEmpty().AddService("trustix-proxy", serviceInstanceId: Environment.MachineName);
        _traces = Sdk.CreateTracerProviderBuilder().SetResourceBuilder(resource).AddSource(name)
            .AddOtlpExporter(exporter => Configure(exporter, endpoint, "v1/traces")).Build();
        _metrics = Sdk.CreateMeterProviderBuilder().SetResourceBuilder(resource).AddMeter(name)
            .AddOtlpExporter(exporter => Configure(exporter, endpoint, "v1/metrics")).Build();
    }

    /// <summary>Sends what is left; takes at most a few seconds.</summary>
    public void Dispose()
    {
        _traces.Dispose();
        _metrics.Dispose();
    }

    private static void Configure(OtlpExporterOptions exporter, Uri endpoint, string signal) =>
        (exporter.Protocol, exporter.Endpoint, exporter.TimeoutMilliseconds) = (
            OtlpExportProtocol.HttpProtobuf, new Uri($"{endpoint.AbsoluteUri.TrimEnd('/')}/{signal}"), (int)Limit.TotalMilliseconds);
}
