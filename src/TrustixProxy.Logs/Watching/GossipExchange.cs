using System.Net.Http.Headers;
using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Connecting;
using TrustixProxy.IO.Supervision;

namespace TrustixProxy.Logs.Watching;

/// <summary>Tells each peer our heads at an interval, and hears theirs; each peer for itself.</summary>
/// <param name="gossip">What is told and heard.</param>
/// <param name="peers">Addresses of the peers' operations listeners.</param>
/// <param name="interval">How often.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Where failures are told.</param>
public sealed class GossipExchange(Gossip gossip, IReadOnlyList<Uri> peers, TimeSpan interval, TimeProvider time, ILogger logger)
    : SupervisedService(time, logger)
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly List<HttpClient> _clients = [];

    /// <summary>Which HTTP proxy leads to a peer.</summary>
    public HttpProxies Proxies { get; init; } = HttpProxies.None;

    protected override IEnumerable<SupervisedLoop> Loops => peers.Select(peer =>
    {
        var http = new HttpClient(new PeerTransport(Proxies, Time)) { Timeout = Timeout, MaxResponseContentBufferSize = Gossip.MaxSize };
        var address = new Uri(new Uri(peer.AbsoluteUri.TrimEnd('/') + "/"), "gossip/heads");
        _clients.Add(http);
        return new SupervisedLoop("gossip", peer.ToString(), interval, stopping => TellAsync(http, address, stopping));
    });

    public override void Dispose()
    {
        base.Dispose();
        _clients.ForEach(client => client.Dispose());
    }

    private async Task TellAsync(HttpClient http, Uri address, CancellationToken stopping)
    {
        try
        {
            using var content = new ByteArrayContent(
                gossip.Tell())
            { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
            using var response = await http.PostAsync(address, content, stopping);
            if (!response.IsSuccessStatusCode
                || !await gossip.HearAsync(await response.Content.ReadAsByteArrayAsync(stopping), address.ToString()))
            {
                Logger.GossipFailed(address, $"it answers {(int)response.StatusCode}, or no heads");
            }
        }
        catch (Exception exception) when (!stopping.IsCancellationRequested)
        {
            // Whatever it is: a peer stops neither the others nor the proxy.
            Logger.GossipFailed(address, exception.Message);
        }
    }
}
