using System.Net;
using System.Net.Http.Headers;
using Microsoft.Extensions.Logging;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.AptGate.Archives;

/// <summary>One archive of Debian packages. Its redirects lead only where those of a binary cache may.</summary>
public sealed class Archive : IDisposable
{
    private readonly Uri _base;
    private readonly TimeProvider _time;

    /// <param name="network">Sends requests; sockets when null.</param>
    public Archive(ArchiveOptions options, TimeProvider time, ILogger logger, HttpMessageHandler? network = null)
    {
        (Options, _time) = (options, time);
        _base = new Uri(options.Url.AbsoluteUri.TrimEnd('/') + "/");
        Upstream = new Upstream(
            new UpstreamOptions(options.Name, options.Url, 0) { Proxies = options.Proxies, ProbeFile = "dists/" }, options.Patience, time,
            logger, network);
    }

    public ArchiveOptions Options { get; }

    /// <summary>Sends its requests, and knows its health.</summary>
    public Upstream Upstream { get; }

    /// <summary>Requests a file.</summary>
    /// <param name="method">GET or HEAD.</param>
    /// <param name="path">Its address below the archive's, escaped.</param>
    /// <param name="condition">What of it is wanted.</param>
    /// <param name="cancellation">Ends the request.</param>
    /// <exception cref="ArchiveException">There is no answer, or one that says nothing about the file.</exception>
    public async Task<ArchiveFile> OpenAsync(HttpMethod method, string path, ArchiveCondition condition, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(Options.Patience, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            using var request = RequestOf(method, path, condition);
            var response = await Upstream.Http.SendAsync(request, either.Token);
            var status = (int)response.StatusCode;
            if (status is not (304 or 416) && UpstreamFault.OfStatus(status) is { } fault)
            {
                response.Dispose();
                throw Failed(fault, null);
            }

            Upstream.Health.ReportAnswer();
            return new ArchiveFile(response, Options.Patience, _time);
        }
        catch (Exception exception) when (exception is not ArchiveException && !cancellation.IsCancellationRequested)
        {
            throw Failed(UpstreamFault.OfException(exception), exception);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Upstream.Dispose();

    private HttpRequestMessage RequestOf(HttpMethod method, string path, ArchiveCondition condition)
    {
        var request = new HttpRequestMessage(method, new Uri(_base, "./" + path)) // "./": no path is a scheme
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        request.Headers.IfModifiedSince = condition.IfModifiedSince;
        request.Headers.Range = condition.From is { } from ? new RangeHeaderValue(from, null) : null;
        request.Headers.IfRange = condition.IfRange is { } time ? new RangeConditionHeaderValue(time) : null;
        return request;
    }

    private ArchiveException Failed(UpstreamFault fault, Exception? cause)
    {
        Upstream.NoteNarFailure(fault);
        return new ArchiveException(fault, cause);
    }
}

/// <summary>Signals that an archive gave no answer about a file.</summary>
public sealed class ArchiveException(UpstreamFault fault, Exception? cause)
    : IOException(fault.ToString(), cause)
{
    /// <summary>Why.</summary>
    public UpstreamFault Fault { get; } = fault;
}
