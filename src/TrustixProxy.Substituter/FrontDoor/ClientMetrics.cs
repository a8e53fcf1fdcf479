using System.Diagnostics.Metrics;
using TrustixProxy.IO.Metering;

namespace TrustixProxy.Substituter.FrontDoor;

/// <summary>Metrics of clients.</summary>
internal static class ClientMetrics
{
    private static readonly Counter<long> Away = ProxyMeter.Meter.CreateCounter<long>(
        "trustix_proxy_requests_turned_away", description: "Rejected requests: the queue was full (overflow), or the client sent "
            + "no known credentials (unknown).");

    /// <summary>Counts a rejected request.</summary>
    public static void TurnedAway(string reason) => Away.Add(1, new KeyValuePair<string, object?>("reason", reason));
}
