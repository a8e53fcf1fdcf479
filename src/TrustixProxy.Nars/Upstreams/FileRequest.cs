using System.Net;
using TrustixProxy.IO.Streams;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>Requests the file that a server has for a path, and parses it if it is a narinfo: untrusted bytes, bounded in size.</summary>
internal static class FileRequest
{
    /// <summary>Sends one request.</summary>
    /// <param name="http">Sends the request.</param>
    /// <param name="cache">The upstream's base address.</param>
    /// <param name="digest">The store path's digest.</param>
    /// <param name="path">The store path; null where the digest alone makes the file's address.</param>
    /// <param name="file">The file to request.</param>
    /// <exception cref="HttpRequestException">The response is missing or incomplete.</exception>
    public static async Task<UpstreamAnswer> SendAsync(
        HttpMessageInvoker http, Uri cache, StorePathDigest digest, StorePath? path, ServedFile file, CancellationToken cancellation)
    {
        using var request = Of(new Uri(cache, file.Address(digest, path)));
        using var response = await http.SendAsync(request, cancellation);
        if (UpstreamFault.OfStatus((int)response.StatusCode) is { } fault)
        {
            return new UpstreamAnswer.Failed(fault);
        }

        if (!response.IsSuccessStatusCode)
        {
            return new UpstreamAnswer.Absent();
        }

        return NarCompression.OfContentEncoding(response.Content.Headers.ContentEncoding) is { } encoding
            ? await ReadAsync(response.Content, encoding, digest, file, cancellation)
            : Failed(UpstreamFailure.UnknownEncoding);
    }

    /// <summary>Requests the file of a probe; returns null for any answer except a server error.</summary>
    public static async Task<UpstreamFault?> ProbeAsync(HttpMessageInvoker http, Uri address, CancellationToken cancellation)
    {
        using var request = Of(address);
        request.Options.Set(UpstreamGate.IsProbe, true);
        using var response = await http.SendAsync(request, cancellation);
        return (int)response.StatusCode >= 500 ? UpstreamFault.OfStatus((int)response.StatusCode) : null;
    }

    private static HttpRequestMessage Of(Uri address) =>
        new(HttpMethod.Get, address) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionOrLower };

    private static UpstreamAnswer.Failed Failed(UpstreamFailure kind) => new(new UpstreamFault(kind));

    private static async Task<UpstreamAnswer> ReadAsync(
        HttpContent content, string encoding, StorePathDigest digest, ServedFile file, CancellationToken cancellation)
    {
        ReadOnlyMemory<byte>? body;
        try
        {
            body = await ReadAsync(content, encoding, file.MaxSize, cancellation);
        }
        catch (InvalidDataException)
        {
            return Failed(UpstreamFailure.UnknownEncoding);
        }

        return body is null ? Failed(file.NarInfoStore is not null ? UpstreamFailure.NarinfoTooLarge : UpstreamFailure.FileTooLarge)
            : file.NarInfoStore is not { } store ? new UpstreamAnswer.FoundFile(body.Value)
            : !NarInfo.TryParse(body.Value.Span, store, out var narInfo, out _) ? Failed(UpstreamFailure.NotANarinfo)
            : narInfo.StorePath.Digest != digest ? Failed(UpstreamFailure.NarinfoOfAnotherPath)
            : new UpstreamAnswer.Found(narInfo);
    }

    /// <summary>Reads the whole body; null when it is too large.</summary>
    private static async Task<ReadOnlyMemory<byte>?> ReadAsync(
        HttpContent content, string encoding, int maxSize, CancellationToken cancellation)
    {
        await using var stream = NarCompression.OpenEncoded(encoding, await content.ReadAsStreamAsync(cancellation));
        return await BoundedStream.ReadWholeAsync(stream, maxSize, length: null, cancellation);
    }
}
