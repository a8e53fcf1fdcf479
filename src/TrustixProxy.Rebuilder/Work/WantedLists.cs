using System.Collections.Immutable;
using System.Globalization;
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

    private const string TurnHeader = "X-Trustix-Turn";

    private readonly HttpClient _http = new(new PeerTransport(HttpProxies.FromEnvironment, time))
    {
        Timeout = TimeSpan.FromSeconds(60),
        MaxResponseContentBufferSize = MaxSize,
    };

    /// <summary>Tells this rebuilder from others, for lists that give no turn.</summary>
    public string Identity { get; init; } = "";

    /// <summary>Fetches all lists, each in order and started where its turn says. A list that cannot be had is told, and the others
    /// count.</summary>
    /// <param name="tell">Takes what is wrong with a list.</param>
    public async Task<IReadOnlyList<IReadOnlyList<WantedPath>>> FetchAsync(Action<string> tell, CancellationToken cancellation)
    {
        var lists = new List<IReadOnlyList<WantedPath>>();
        foreach (var url in urls)
        {
            try
            {
                var (wanted, turn) = await FetchAsync(url, tell, cancellation);
                lists.Add(WorkOrder.Turn(WorkOrder.Order(wanted), turn ?? WorkOrder.TurnOf(Identity)));
            }
            catch (Exception exception) when (exception is HttpRequestException
                || (exception is OperationCanceledException && !cancellation.IsCancellationRequested))
            {
                tell($"{url}: {exception.Message}");
            }
        }

        return lists;
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<(IReadOnlyList<WantedPath> Wanted, long? Turn)> FetchAsync(
        Uri url, Action<string> tell, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{url.AbsoluteUri.TrimEnd('/')}/wanted");
        request.Headers.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        using var response = await _http.SendAsync(request, cancellation);
        if (!response.IsSuccessStatusCode)
        {
            var remedy = (int)response.StatusCode is 401
                ? "; set rebuilder.wantedTokenFile to a file with the token in the proxy's operations.wantedTokenFile" : "";
            tell($"{request.RequestUri}: HTTP {(int)response.StatusCode}{remedy}");
            return ([], null);
        }

        if (!WantedPath.TryRead(await response.Content.ReadAsByteArrayAsync(cancellation), out var wanted, out var error))
        {
            tell($"{request.RequestUri} {error}");
        }

        return (wanted, TurnOf(response));
    }

    private static long? TurnOf(HttpResponseMessage response) =>
        response.Headers.TryGetValues(TurnHeader, out var values)
            && long.TryParse(values.First(), NumberStyles.None, CultureInfo.InvariantCulture, out var turn) ? turn : null;
}
