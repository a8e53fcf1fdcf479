using System.Net;
using TrustixProxy.IO.Streams;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>A file that an upstream has beside narinfos and NARs: untrusted bytes, decoded while they are read.</summary>
public sealed class UpstreamFile : IDisposable
{
    private static readonly string[] HtmlTypes = ["text/html", "application/xhtml+xml"];

    private readonly HttpResponseMessage _response;

    private UpstreamFile(HttpResponseMessage response, Stream content, long? length) =>
        (_response, Content, Length) = (response, content, length);

    /// <summary>The bytes.</summary>
    public Stream Content { get; }

    /// <summary>Length in bytes that the upstream declares; null when it declares none, or of encoded bytes.</summary>
    public long? Length { get; }

    /// <summary>Whether the upstream calls it a page for people: what a server answers to addresses that it does not know.</summary>
    public bool IsPage => HtmlTypes.Contains(_response.Content.Headers.ContentType?.MediaType, StringComparer.OrdinalIgnoreCase);

    /// <summary>Requests a file; null when the server has none, or encodes it in an unknown way.</summary>
    /// <exception cref="HttpRequestException">No answer, or one that says nothing about the file.</exception>
    internal static async Task<UpstreamFile?> OpenAsync(HttpMessageInvoker http, Uri address, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        var response = await http.SendAsync(request, cancellation);
        UpstreamFile? file = null;
        try
        {
            if (UpstreamFault.OfStatus((int)response.StatusCode) is { } fault)
            {
                throw new HttpRequestException($"HTTP {fault.Status}", null, response.StatusCode);
            }

            var encodings = response.Content.Headers.ContentEncoding;
            if (response.IsSuccessStatusCode && NarCompression.OfContentEncoding(encodings) is { } encoding)
            {
                var content = NarCompression.OpenEncoded(encoding, await response.Content.ReadAsStreamAsync(cancellation));
                var length = encoding is NarCompression.None ? response.Content.Headers.ContentLength : null;
                file = new UpstreamFile(response, content, length);
            }

            return file;
        }
        finally
        {
            if (file is null)
            {
                response.Dispose();
            }
        }
    }

    /// <summary>Requests a small file, and reads it whole.</summary>
    /// <param name="http">Sends the request.</param>
    /// <param name="address">The file's address.</param>
    /// <param name="most">Maximum length in bytes, decoded.</param>
    /// <param name="cancellation">Ends the request; then the answer is a failure.</param>
    internal static async Task<UpstreamAnswer> ReadAsync(
        HttpMessageInvoker http, Uri address, int most, CancellationToken cancellation)
    {
        try
        {
            using var file = await OpenAsync(http, address, cancellation);
            return file is null ? new UpstreamAnswer.Absent()
                : await BoundedStream.ReadWholeAsync(file.Content, most, length: null, cancellation) is { } bytes
                    ? new UpstreamAnswer.FoundFile(bytes)
                : new UpstreamAnswer.Failed(new UpstreamFault(UpstreamFailure.FileTooLarge));
        }
        catch (HttpRequestException exception) when (exception.StatusCode is { } status)
        {
            return new UpstreamAnswer.Failed(UpstreamFault.OfStatus((int)status)!);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or InvalidDataException
            or OperationCanceledException)
        {
            return new UpstreamAnswer.Failed(UpstreamFaultException.FaultOf(exception));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Content.Dispose();
        _response.Dispose();
    }
}
