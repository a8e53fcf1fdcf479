using System.Net;
using Microsoft.AspNetCore.Http;
using TrustixProxy.IO.Streams;
using TrustixProxy.Nars.Delivery;
using Yarp.ReverseProxy.Forwarder;

namespace TrustixProxy.Substituter.Substitution;

/// <summary>Lets YARP copy a delivery to a client, as if from an upstream in this process. The client's request is not forwarded.</summary>
internal sealed class DeliveryTransformer(NarDelivery delivery) : HttpTransformer
{
    private static readonly HttpRequestOptionsKey<NarDelivery> Key = new("delivery");

    /// <summary>Message handler for YARP's requests.</summary>
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
            delivery.WriteHead(httpContext.Response);
        }

        return ValueTask.FromResult(isThere);
    }

    /// <summary>The bytes of a delivery. YARP disposes this stream after each attempt; the delivery stays open for the next.</summary>
    private sealed class Bytes(NarDelivery delivery) : ReadOnlyStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            delivery.ReadAsync(buffer, cancellationToken);
    }

    private sealed class Handler : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(request.Options.TryGetValue(Key, out var delivery)
                ? new HttpResponseMessage(HttpStatusCode.OK) { Content = new StreamContent(new Bytes(delivery)), RequestMessage = request }
                : new HttpResponseMessage(HttpStatusCode.BadGateway));
    }
}
