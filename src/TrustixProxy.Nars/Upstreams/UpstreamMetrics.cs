using System.Diagnostics.Metrics;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Metering;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>Meters upstreams and NARs.</summary>
public static class UpstreamMetrics
{
    private static readonly Counter<long> Answers = ProxyMeter.Meter.CreateCounter<long>("trustix_proxy_upstream_answers",
        description: "Narinfo requests to upstreams and signed caches, by result: found, absent, or the failure.");

    private static readonly Histogram<double> Seconds = ProxyMeter.Seconds(
        "trustix_proxy_upstream_seconds", "Time for an upstream or signed cache to answer a narinfo request, failures included.");

    private static readonly Counter<long> NarBytes = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_nar_bytes",
        description: "NAR bytes sent to clients, by whether the NAR was verified to its end, or aborted because it was refused or "
            + "the client disconnected.");

    private static readonly Counter<long> NarsRefused = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_nars_refused", description: "NARs from upstreams refused for not matching the agreement, by reason.");

    private static readonly Counter<long> SharedDownloads = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_nar_downloads_shared",
            description: "NAR requests that joined a download in flight or just finished.");

    private static readonly Counter<long> ResumedDownloads = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_nar_downloads_resumed",
            description: "Downloads resumed at their offset after a break, by the upstream that continued.");

    private static readonly Counter<long> RestartedDownloads = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_nar_downloads_restarted",
            description: "Downloads restarted at another upstream, by the upstream whose NAR was refused.");

    /// <summary>Records an upstream's answer to a request for a narinfo or a proof file.</summary>
    public static void Answered(string upstream, UpstreamAnswer answer, TimeSpan took)
    {
        var word =
            answer switch
            {
                UpstreamAnswer.Found or UpstreamAnswer.FoundFile => "found",
                UpstreamAnswer.Absent => "absent",
                UpstreamAnswer.Failed { IsAway: true } =>
            "away",
                UpstreamAnswer.Failed failed => failed.Fault.Label,
                _ => throw new System.Diagnostics.UnreachableException()
            };
        ProxyMeter.Stepped("upstream", "upstream", upstream, took, word);
        Answers.Add(1, new("upstream", upstream), new("answer", word));
        Seconds.Record(took.TotalSeconds, new KeyValuePair<string, object?>("upstream", upstream));
    }

    /// <summary>Records the end of a NAR's delivery to a client.</summary>
    public static void NarEnded(long bytes, bool isVerified)
    {
        if (bytes > 0)
        {
            NarBytes.Add(bytes, new KeyValuePair<string, object?>("result", isVerified ? "verified" : "aborted"));
        }
    }

    /// <summary>Records a request that joined a download.</summary>
    public static void DownloadShared() => SharedDownloads.Add(1);

    /// <summary>Records a download resumed at its offset.</summary>
    public static void DownloadResumed(string upstream) => ResumedDownloads.Add(1, new KeyValuePair<string, object?>("upstream", upstream));

    /// <summary>Records a download restarted at an upstream other than this one.</summary>
    public static void DownloadRestarted(string upstream) =>
        RestartedDownloads.Add(1, new KeyValuePair<string, object?>("upstream", upstream));

    /// <summary>Records a NAR that was wrong or incomplete.</summary>
    public static void NarRefused(string upstream, NarFault fault) =>
        NarsRefused.Add(1, new("upstream", upstream), new("fault", Kebab.Of(fault)));
}
