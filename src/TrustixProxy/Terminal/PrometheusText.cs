using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace TrustixProxy.Terminal;

/// <summary>Shows the instruments of a meter in Prometheus' text format: <c>/metrics</c>.</summary>
/// <remarks>Source: prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4.</remarks>
internal sealed class PrometheusText : IDisposable
{
    /// <summary>Upper bounds of a histogram's buckets, in seconds.</summary>
    private static readonly double[] Bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

    /// <summary>The most different label values that one instrument shows; more are left out, so that foreign input can't fill the
    /// memory.</summary>
    private const int MaxSeries = 1000;

    private readonly MeterListener _listener = new();
    private readonly Lock _writing = new();
    private readonly ConcurrentDictionary<Instrument, ConcurrentDictionary<string, Series>> _instruments = new();

    /// <param name="meter">The meter's name.</param>
    public PrometheusText(string meter)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == meter)
            {
                _instruments.TryAdd(instrument, new());
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.MeasurementsCompleted = (instrument, _) => _instruments.TryRemove(instrument, out var _);
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.Start();
    }

    /// <summary>Answers a request.</summary>
    public Task AnswerAsync(HttpContext http)
    {
        http.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
        return http.Response.WriteAsync(Write(), http.RequestAborted);
    }

    public void Dispose() => _listener.Dispose();

    private void Record(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (!_instruments.TryGetValue(instrument, out var all))
        {
            return;
        }

        var labels = Labels(tags);
        if (!all.TryGetValue(labels, out var series) && all.Count < MaxSeries)
        {
            series = all.GetOrAdd(labels, _ => new Series());
        }

        series?.Add(value, isSum: instrument is Counter<long> or Histogram<double>);
    }

    private string Write()
    {
        using var scope = _writing.EnterScope();
        Observe();
        var text = new StringBuilder();
        foreach (var (instrument, all) in _instruments.OrderBy(entry => entry.Key.Name, StringComparer.Ordinal))
        {
            var (type, name) = instrument switch
            {
                Counter<long> or ObservableCounter<long> => ("counter", $"{instrument.Name}_total"),
                Histogram<double> => ("histogram", instrument.Name),
                _ => ("gauge", instrument.Name),
            };
            text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {instrument.Description}\n# TYPE {name} {type}\n");
            foreach (var (labels, series) in all.OrderBy(entry => entry.Key, StringComparer.Ordinal))
            {
                series.Write(text, name, labels, isHistogram: type is "histogram");
            }
        }

        return text.ToString();
    }

    /// <summary>What is looked at now: a series that is not there any more is shown no more.</summary>
    private void Observe()
    {
        foreach (var (_, all) in _instruments.Where(entry => entry.Key.IsObservable))
        {
            all.Clear();
        }

        _listener.RecordObservableInstruments();
    }

    private static string Labels(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var text = new StringBuilder();
        foreach (var (name, value) in tags)
        {
            var escaped = $"{value}".Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)
                .Replace("\n", "\\n", StringComparison.Ordinal);
            text.Append(text.Length > 0 ? "," : "").Append(name).Append("=\"").Append(escaped).Append('"');
        }

        return text.ToString();
    }

    /// <summary>The measurements with one set of labels.</summary>
    private sealed class Series
    {
        private readonly long[] _buckets = new long[Bounds.Length];
        private double _value;
        private long _count;

        public void Add(double value, bool isSum)
        {
            lock (_buckets)
            {
                _value = isSum ? _value + value : value;
                _count++;
                for (var i = Bounds.Length - 1; i >= 0 && value <= Bounds[i]; i--)
                {
                    _buckets[i]++;
                }
            }
        }

        public void Write(StringBuilder text, string name, string labels, bool isHistogram)
        {
            lock (_buckets)
            {
                var all = labels.Length > 0 ? $"{{{labels}}}" : "";
                if (!isHistogram)
                {
                    text.Append(CultureInfo.InvariantCulture, $"{name}{all} {_value}\n");
                    return;
                }

                var comma = labels.Length > 0 ? "," : "";
                for (var i = 0; i < Bounds.Length; i++)
                {
                    text.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{{labels}{comma}le=\"{Bounds[i]}\"}} {_buckets[i]}\n");
                }

                text.Append(CultureInfo.InvariantCulture,
                    $"{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {_count}\n{name}_sum{all} {_value}\n{name}_count{all} {_count}\n");
            }
        }
    }
}
