using System.Diagnostics.Metrics;
using TrustixProxy.Substituter.Operations;

namespace TrustixProxy.Substituter.Delivery;

/// <summary>What is counted of downloads.</summary>
internal static class DeliveryMetrics
{
    private static readonly Counter<long> SharedDownloads = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_nar_downloads_shared", description: "Requests for a NAR that joined a download under way, or one that had just ended.");

    private static readonly Counter<long> ResumedDownloads = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_nar_downloads_resumed", description: "Downloads of NARs that broke off and went on at their offset, by the upstream that they went on at.");

    private static readonly Counter<long> RestartedDownloads = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_nar_downloads_restarted", description: "Downloads of NARs that began again at another upstream, because the NAR of the named one was refused.");

    public static void Shared() => SharedDownloads.Add(1);

    public static void Resumed(string upstream) => ResumedDownloads.Add(1, new KeyValuePair<string, object?>("upstream", upstream));

    public static void Restarted(string upstream) => RestartedDownloads.Add(1, new KeyValuePair<string, object?>("upstream", upstream));
}
