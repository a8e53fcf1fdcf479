using System.Diagnostics.Metrics;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Metering;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>Meters upstreams and NARs.</summary>
public static class UpstreamMetrics
{
    private static readonly Counter<long> Answers = ProxyMeter.Meter.CreateCounter<long>("trustix_proxy_upstream_answers",
        description: "Answers of upstreams and signed caches that were asked for a narinfo: found, absent, or why there was none.");

    private static readonly Histogram<double> Seconds = ProxyMeter.Seconds(
        "trustix_proxy_upstream_seconds", "Time of an upstream or signed cache to answer for a narinfo, failures included.");

    private static readonly Counter<long> NarBytes = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_nar_bytes",
        description: "Bytes of NARs that left for clients: of a NAR that was verified to its end, or of one that was aborted because it "
            + "was refused or the client went away.");

    private static readonly Counter<long> NarsRefused = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_nars_refused", description: "NARs of upstreams that were not what was agreed on, by why.");

    private static readonly Counter<long> SharedDownloads = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_nar_downloads_shared",
            description: "Requests for a NAR that joined a download under way, or one that had just ended.");

    private static readonly Counter<long> ResumedDownloads = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_nar_downloads_resumed",
            description: "Breaks after which a download went on at its offset, by the upstream that it went on at.");

    private static readonly Counter<long> RestartedDownloads = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_nar_downloads_restarted",
            description: "Downloads that began again elsewhere, by the upstream whose NAR was refused.");

    /// <summary>Records an upstream's answer to a narinfo request.</summary>
    public static void Answered(string upstream, UpstreamAnswer answer, TimeSpan took)
    {
        var word =
            answer switch
            {
                UpstreamAnswer.Found => "found",
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
