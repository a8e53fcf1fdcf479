using System.Net.Http.Headers;
using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Connecting;
using TrustixProxy.IO.Supervision;

namespace TrustixProxy.Logs.Watching;

/// <summary>Sends this proxy's heads to each peer at an interval, and checks theirs; peers are independent.</summary>
/// <param name="gossip">Builds and checks the messages.</param>
/// <param name="peers">Addresses of the peers' operations listeners.</param>
/// <param name="interval">Time between exchanges.</param>
public sealed class GossipExchange(Gossip gossip, IReadOnlyList<Uri> peers, TimeSpan interval, TimeProvider time, ILogger logger)
    : SupervisedService(time, logger)
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly List<HttpClient> _clients = [];

    /// <summary>Selects the HTTP proxy for a peer.</summary>
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
                Logger.GossipFailed(address, $"it answered {(int)response.StatusCode}, or sent no heads");
            }
        }
        catch (Exception exception) when (!stopping.IsCancellationRequested)
        {
            // Whatever the failure: one peer stops neither the others nor the proxy.
            Logger.GossipFailed(address, exception.Message);
        }
    }
}
