using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.HttpOverrides;
using TrustixProxy.IO.Connections;

namespace TrustixProxy.Substituter.FrontDoor;

/// <summary>Limits concurrent requests per client behind a trusted proxy, as its connections would be limited without one.</summary>
/// <param name="most">The limit; null for none.</param>
internal sealed class ForwardedShare(int? most, RequestDelegate next)
{
    private readonly ClientShares _shares = new();

    public async Task AnswerAsync(HttpContext context)
    {
        // The middleware sets this header after replacing the proxy's address by the client's.
        if (most is not { } limit || !context.Request.Headers.ContainsKey(ForwardedHeadersDefaults.XOriginalForHeaderName))
        {
            await next(context);
            return;
        }

        var client = ClientAddress.Of(context.Connection.RemoteIpAddress);
        if (!_shares.TryTake(client, limit))
        {
            await ClientGate.PutOffAsync(context, "this client has too many requests in flight; retry later\n");
            return;
        }

        try
        {
            await next(context);
        }
        finally
        {
            _shares.Return(client);
        }
    }
}
