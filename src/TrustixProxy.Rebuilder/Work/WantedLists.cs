using System.Collections.Immutable;
using System.Net.Http.Headers;
using TrustixProxy.IO.Connecting;

namespace TrustixProxy.Rebuilder.Work;

/// <summary>Asks proxies for what they could not decide on.</summary>
/// <param name="urls">Their operations listeners.</param>
/// <param name="token">The bearer token that they demand; null for none.</param>
public sealed class WantedLists(ImmutableArray<Uri> urls, string? token, TimeProvider time) : IDisposable
{
    /// <summary>Maximum size of a list, in bytes.</summary>
    private const int MaxSize = 16 << 20;

    private readonly HttpClient _http = new(new PeerTransport(HttpProxies.FromEnvironment, time))
    {
        Timeout = TimeSpan.FromSeconds(60),
        MaxResponseContentBufferSize = MaxSize,
    };

    /// <summary>Fetches all lists; one that cannot be had is told, and the others count.</summary>
    /// <param name="tell">Takes what is wrong with a list.</param>
    public async Task<IReadOnlyList<WantedPath>> FetchAsync(Action<string> tell, CancellationToken cancellation)
    {
        var all = new List<WantedPath>();
        foreach (var url in urls)
        {
            try
            {
                all.AddRange(await FetchAsync(url, tell, cancellation));
            }
            catch (Exception exception) when (exception is HttpRequestException
                || (exception is OperationCanceledException && !cancellation.IsCancellationRequested))
            {
                tell($"{url}: {exception.Message}");
            }
        }

        return WorkOrder.Merge(all);
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<IReadOnlyList<WantedPath>> FetchAsync(Uri url, Action<string> tell, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{url.AbsoluteUri.TrimEnd('/')}/wanted");
        request.Headers.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        using var response = await _http.SendAsync(request, cancellation);
        if (!response.IsSuccessStatusCode)
        {
            var remedy = (int)response.StatusCode is 401
                ? "; set rebuilder.wantedTokenFile to a file with the token in the proxy's operations.wantedTokenFile" : "";
            tell($"{request.RequestUri}: HTTP {(int)response.StatusCode}{remedy}");
            return [];
        }

        if (!WantedPath.TryRead(await response.Content.ReadAsByteArrayAsync(cancellation), out var wanted, out var error))
        {
            tell($"{request.RequestUri} {error}");
        }

        return wanted;
    }
}
