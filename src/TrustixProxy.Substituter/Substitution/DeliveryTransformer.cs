using System.Net;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Nars;
using TrustixProxy.Nars.Delivery;
using Yarp.ReverseProxy.Forwarder;

namespace TrustixProxy.Substituter.Substitution;

/// <summary>Has YARP copy a delivery to a client, as if an upstream within this process had sent it. Nobody reads the client's
/// request.</summary>
/// <param name="delivery">What is sent.</param>
internal sealed class DeliveryTransformer(NarDelivery delivery) : HttpTransformer
{
    private static readonly HttpRequestOptionsKey<NarDelivery> Key = new("delivery");

    /// <summary>What YARP sends its requests through.</summary>
    public static HttpMessageInvoker Invoker { get; } = new(new Handler());

    public override ValueTask TransformRequestAsync(
        HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
    {
        proxyRequest.Method = HttpMethod.Get;
        proxyRequest.Headers.Clear();
        proxyRequest.Options.Set(Key, delivery);
        return ValueTask.CompletedTask;
    }

    public override ValueTask<bool> TransformResponseAsync(
        HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
    {
        var isThere = proxyResponse is { StatusCode: HttpStatusCode.OK };
        if (isThere)
        {
            RequestedRange.WriteHead(httpContext.Response, delivery.Body!.Length, delivery.Range, delivery.IsSameFile);
        }

        return ValueTask.FromResult(isThere);
    }

    private sealed class Handler : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(request.Options.TryGetValue(Key, out var delivery)
                ? new HttpResponseMessage(HttpStatusCode.OK) { Content = new StreamContent(delivery), RequestMessage = request }
                : new HttpResponseMessage(HttpStatusCode.BadGateway));
    }
}
