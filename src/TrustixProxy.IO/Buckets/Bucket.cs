using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using TrustixProxy.IO.Connecting;
using TrustixProxy.IO.Streams;

namespace TrustixProxy.IO.Buckets;

/// <summary>An object that a bucket lists.</summary>
/// <param name="Name">Its name after the prefix.</param>
/// <param name="Size">Length in bytes.</param>
/// <param name="At">When it was written, by the server's clock.</param>
public sealed record BucketObject(string Name, long Size, DateTimeOffset At);

/// <summary>Reads, writes, lists and deletes the objects below a prefix of a bucket. Follows no redirect.</summary>
/// <remarks>Servers that know <c>If-None-Match</c> never write an object twice. For others that refuse it (501, 400), it is left out from
/// then on.</remarks>
/// <param name="root">The bucket's address.</param>
/// <param name="prefix">What stands before each name, without slashes around it; empty for nothing.</param>
/// <param name="signer">Signs requests; null for none.</param>
/// <param name="http">Sends requests.</param>
public sealed class Bucket(Uri root, string prefix, BucketSigner? signer, HttpMessageInvoker http, TimeProvider time)
{
    /// <summary>Maximum length of one object in bytes that a server takes in one request.</summary>
    public const long MaxSize = 5L << 30;

    private const int MaxPage = 4 << 20;

    private readonly Uri _root = new(root.AbsoluteUri.TrimEnd('/') + "/");
    private readonly string _prefix = prefix.Length is 0 ? "" : prefix + "/";
    private volatile BucketSigner? _signer = signer;
    private volatile bool _knowsConditions = true;

    /// <summary>Creates the sender for a bucket.</summary>
    public static HttpMessageInvoker Sender(HttpProxies proxies, TimeProvider time) => new(new PeerTransport(proxies, time));

    /// <summary>Signs with another key from now on.</summary>
    public void Use(BucketSigner? signer) => _signer = signer;

    /// <summary>Whether an object is there.</summary>
    /// <exception cref="HttpRequestException">The server does not say.</exception>
    public async Task<bool> HasAsync(string name, CancellationToken cancellation)
    {
        using var response = await SendAsync(HttpMethod.Head, AddressOf(name), null, cancellation);
        return response.IsSuccessStatusCode || (response.StatusCode is HttpStatusCode.NotFound ? false : throw Fault(response));
    }

    /// <summary>Reads a small object; null when it is not there, or is longer than <paramref name="most"/> bytes.</summary>
    /// <exception cref="HttpRequestException">The server does not say.</exception>
    public async Task<ReadOnlyMemory<byte>?> ReadAsync(string name, int most, CancellationToken cancellation)
    {
        using var response = await SendAsync(HttpMethod.Get, AddressOf(name), null, cancellation);
        if (response.StatusCode is HttpStatusCode.NotFound)
        {
            return null;
        }

        return response.IsSuccessStatusCode ? await ReadAsync(response, most, cancellation) : throw Fault(response);
    }

    /// <summary>Writes an object.</summary>
    /// <param name="content">Opens its bytes from the start.</param>
    /// <param name="length">Their number.</param>
    /// <param name="sha256">Their SHA-256, which the server checks.</param>
    /// <param name="mayReplace">Whether an object that is there may be written again.</param>
    /// <returns>Whether it was written; false when it is there already.</returns>
    /// <exception cref="HttpRequestException">The server did not take it.</exception>
    public async Task<bool> WriteAsync(
        string name, Func<Stream> content, long length, ReadOnlyMemory<byte> sha256, bool mayReplace, CancellationToken cancellation)
    {
        var hash = Convert.ToHexStringLower(sha256.Span);
        while (true)
        {
            var isConditional = !mayReplace && _knowsConditions;
            using var body = new StreamContent(content());
            (body.Headers.ContentLength, body.Headers.ContentType) = (length, new MediaTypeHeaderValue("application/octet-stream"));
            using var response = await SendAsync(HttpMethod.Put, AddressOf(name), new Upload(body, hash, isConditional), cancellation);
            if (response.IsSuccessStatusCode)
            {
                return true;
            }

            if (isConditional && response.StatusCode is HttpStatusCode.PreconditionFailed or HttpStatusCode.Conflict)
            {
                return false; // 409: another writes it right now
            }

            if (!isConditional || response.StatusCode is not (HttpStatusCode.NotImplemented or HttpStatusCode.BadRequest))
            {
                throw Fault(response);
            }

            _knowsConditions = false;
        }
    }

    /// <inheritdoc cref="WriteAsync(string, Func{Stream}, long, ReadOnlyMemory{byte}, bool, CancellationToken)"/>
    public Task<bool> WriteAsync(string name, byte[] bytes, bool mayReplace, CancellationToken cancellation) =>
        WriteAsync(name, () => new MemoryStream(bytes), bytes.Length, SHA256.HashData(bytes), mayReplace, cancellation);

    /// <summary>Deletes an object; nothing happens when it is not there.</summary>
    /// <exception cref="HttpRequestException">The server did not delete it.</exception>
    public async Task DeleteAsync(string name, CancellationToken cancellation)
    {
        using var response = await SendAsync(HttpMethod.Delete, AddressOf(name), null, cancellation);
        if (!response.IsSuccessStatusCode && response.StatusCode is not HttpStatusCode.NotFound)
        {
            throw Fault(response);
        }
    }

    /// <summary>Lists the objects below the prefix.</summary>
    /// <exception cref="HttpRequestException">The server does not list them.</exception>
    public async Task<IReadOnlyList<BucketObject>> ListAsync(CancellationToken cancellation)
    {
        var objects = new List<BucketObject>();
        for (string? next = null, last = null; ; last = next)
        {
            var query = $"list-type=2&prefix={Uri.EscapeDataString(_prefix)}"
                + (next is null ? "" : $"&continuation-token={Uri.EscapeDataString(next)}");
            using var response = await SendAsync(HttpMethod.Get, new Uri(_root, $"?{query}"), null, cancellation);
            if (!response.IsSuccessStatusCode)
            {
                throw Fault(response);
            }

            var page = await ReadAsync(response, MaxPage, cancellation) is { } bytes ? Encoding.UTF8.GetString(bytes.Span)
                : throw new HttpRequestException($"{_root.Host} lists too much at once.");
            objects.AddRange(BucketListing.Read(page, _prefix));
            next = BucketListing.NextOf(page);
            if (next is null || next == last)
            {
                return objects;
            }
        }
    }

    private Uri AddressOf(string name) => new(_root, string.Join('/', (_prefix + name).Split('/').Select(Uri.EscapeDataString)));

    private async Task<HttpResponseMessage> SendAsync(
        HttpMethod method, Uri address, Upload? upload, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, address) { Content = upload?.Body };
        if (upload?.IsConditional is true)
        {
            request.Headers.TryAddWithoutValidation("If-None-Match", "*");
        }

        if (_signer is { } signer)
        {
            await signer.SignAsync(request, upload?.Sha256 ?? RequestSignature.NoBody, time.GetUtcNow(), cancellation);
        }

        return await http.SendAsync(request, cancellation);
    }

    private static async Task<ReadOnlyMemory<byte>?> ReadAsync(HttpResponseMessage response, int most, CancellationToken cancellation)
    {
        await using var body = await response.Content.ReadAsStreamAsync(cancellation);
        return await BoundedStream.ReadWholeAsync(body, most, response.Content.Headers.ContentLength, cancellation);
    }

    private HttpRequestException Fault(HttpResponseMessage response) => new(
        string.Create(CultureInfo.InvariantCulture, $"{_root.Host} answers HTTP {(int)response.StatusCode}."), null, response.StatusCode);

    /// <param name="Sha256">In lower-case hexadecimal.</param>
    private sealed record Upload(HttpContent Body, string Sha256, bool IsConditional);
}
