using System.Net;
using System.Net.Http.Headers;

namespace TrustixProxy.Fuzz.Delivery;

/// <summary>A client that takes a NAR whole or in part, pauses, or leaves.</summary>
internal static class DeliveryClient
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50), Patience = TimeSpan.FromSeconds(60);

    public static async Task<DeliveryEnd> RunAsync(HttpClient client, Uri proxy, DeliveryOrder order, Random random)
    {
        var (pauses, leaves) = (random.Next(8) is 0, random.Next(8) is 0);
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(proxy, order.NarInfo.Url));
        request.Headers.Range = order.Start > 0 ? new RangeHeaderValue(order.Start, null) : null;
        using var limit = new CancellationTokenSource(Patience);
        using var received = new MemoryStream();
        HttpResponseMessage? response = null;
        try
        {
            response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            if (response.StatusCode is not (HttpStatusCode.OK or HttpStatusCode.PartialContent))
            {
                return response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.RequestedRangeNotSatisfiable
                    ? DeliveryEnd.Refused
                    : DeliveryEnd.Fault;
            }

            order = response.StatusCode is HttpStatusCode.OK ? order with { Start = 0 } : order;
            var leaveAt = leaves ? (order.FileSize - order.Start) / 2 : int.MaxValue;
            await using var body = await response.Content.ReadAsStreamAsync(limit.Token);
            return await TryReadAsync(body, received, leaveAt, pauses, limit.Token)
                ? await order.JudgeWholeAsync(received.ToArray())
                : DeliveryEnd.Left;
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            return response is null ? DeliveryEnd.Cut : order.JudgeCut(received.ToArray(), response.Content.Headers.ContentLength);
        }
        catch (OperationCanceledException)
        {
            return DeliveryEnd.Hung;
        }
        finally
        {
            response?.Dispose();
        }
    }

    /// <summary>Reads to the end; false when it leaves before.</summary>
    private static async Task<bool> TryReadAsync(
        Stream body, MemoryStream received, int leaveAt, bool pauses, CancellationToken cancellation)
    {
        var buffer = new byte[16 << 10];
        while (await body.ReadAsync(buffer, cancellation) is var read and > 0)
        {
            received.Write(buffer, 0, read);
            if (received.Length > leaveAt)
            {
                return false;
            }

            if (pauses)
            {
                pauses = false;
                await Task.Delay(Pause, cancellation);
            }
        }

        return true;
    }
}
