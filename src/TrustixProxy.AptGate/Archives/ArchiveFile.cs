using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.AptGate.Archives;

/// <summary>An archive's answer to a request for a file: untrusted bytes, and what it says of them.</summary>
public sealed class ArchiveFile : IDisposable
{
    private readonly HttpResponseMessage _response;
    private readonly TimeSpan _patience;
    private readonly TimeProvider _time;

    internal ArchiveFile(HttpResponseMessage response, TimeSpan patience, TimeProvider time) =>
        (_response, _patience, _time) = (response, patience, time);

    /// <summary>The status: 200, 206, 304, 404, 416 and such.</summary>
    public int Status => (int)_response.StatusCode;

    /// <summary>Whether it has a body with bytes of the file.</summary>
    public bool HasContent => Status is 200 or 206;

    /// <summary>The status to tell a client who gets no bytes: the archive's where it says that the file is missing or refused, and
    /// 502 for anything that is no answer to the request.</summary>
    public int FailureStatus => Status is 403 or 404 or 410 ? Status : 502;

    /// <summary>Length of the body in bytes; null when unknown.</summary>
    public long? Length => _response.Content.Headers.ContentLength;

    /// <summary>Offset of the body's first byte in the file.</summary>
    public long Start => Status is 206 ? _response.Content.Headers.ContentRange?.From ?? 0 : 0;

    /// <summary>Length of the whole file; null when unknown.</summary>
    public long? WholeLength => Status is 206 or 416 ? _response.Content.Headers.ContentRange?.Length : Length;

    /// <summary>Time of the last change; null when it does not say.</summary>
    public DateTimeOffset? ModifiedAt => _response.Content.Headers.LastModified;

    /// <summary>Reads more of the body; 0 at its end.</summary>
    /// <exception cref="IOException">The connection broke, or was silent for too long.</exception>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellation)
    {
        var content = await _response.Content.ReadAsStreamAsync(cancellation);
        using var silence = new CancellationTokenSource(_patience, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(silence.Token, cancellation);
        try
        {
            return await content.ReadAsync(buffer, either.Token);
        }
        catch (OperationCanceledException) when (silence.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            throw new IOException($"The archive sent nothing for {_patience.TotalSeconds} s.");
        }
        catch (HttpRequestException exception)
        {
            throw new IOException(UpstreamFault.OfException(exception).ToString(), exception);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _response.Dispose();
}
