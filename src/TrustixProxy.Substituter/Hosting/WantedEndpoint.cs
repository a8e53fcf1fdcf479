using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Http;
using TrustixProxy.IO.Connections;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.FrontDoor;
using TrustixProxy.Substituter.Inspection;
using TrustixProxy.Substituter.Wanted;

namespace TrustixProxy.Substituter.Hosting;

/// <summary>Answers <c>/wanted</c>. With a token configured, everyone must show it; without one, only this machine is answered.</summary>
internal static class WantedEndpoint
{
    private const string TurnHeader = "X-Trustix-Turn";

    public static Task AnswerAsync(HttpContext context, ProxyParts parts)
    {
        var (readers, response) = (parts.Options.WantedReaders, context.Response);
        (response.Headers.XContentTypeOptions, response.Headers.CacheControl) = ("nosniff", "no-store");
        if (MayRead(context, readers))
        {
            response.Headers[TurnHeader] = parts.Wanted.TakeTurn().ToString(CultureInfo.InvariantCulture);
            var list = WantedList.Of(parts.Wanted, parts.WantedNames).With(DoctorSummary.RootsOf(parts.Options.StateDirectory));
            return context.WriteBodyAsync(StatusCodes.Status200OK, "application/json", list.ToJson());
        }

        response.Headers.WWWAuthenticate = "Bearer realm=\"trustix-proxy\"";
        return context.WriteTextAsync(StatusCodes.Status401Unauthorized, readers is null
            ? "other machines need a token for the work list: set operations.wantedTokenFile\n"
            : "the work list needs the token of operations.wantedTokenFile: Authorization: Bearer TOKEN\n");
    }

    /// <summary>Whether a request may read the list: it shows the token, or where none is configured it comes over loopback.</summary>
    public static bool MayRead(HttpContext context, ClientCredentials? readers) => readers is null
        ? IsLoopback(context.Connection.LocalIpAddress) && IsLoopback(context.Connection.RemoteIpAddress)
        : readers.Find(context.Request.Headers.Authorization) is not null;

    private static bool IsLoopback(IPAddress? address) =>
        address is not null && IPAddress.IsLoopback(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address);
}
