using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.HttpOverrides;
using TrustixProxy.IO.Connections;

namespace TrustixProxy.Substituter.FrontDoor;

/// <summary>Bounds how many requests at once a client has that comes through a trusted proxy, as its connections would be bounded without
/// one.</summary>
/// <param name="most">The bound; none when null.</param>
/// <param name="next">What answers.</param>
internal sealed class ForwardedShare(int? most, RequestDelegate next)
{
    private readonly ClientShares _shares = new();

    public async Task AnswerAsync(HttpContext context)
    {
        // The middleware sets this header when it has replaced the proxy's address by the client's.
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
