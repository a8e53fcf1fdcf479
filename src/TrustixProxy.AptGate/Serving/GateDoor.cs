using System.Collections.Frozen;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using TrustixProxy.Apt;
using TrustixProxy.AptGate.Archives;
using TrustixProxy.AptGate.Decisions;
using TrustixProxy.Consensus;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.AptGate.Serving;

/// <summary>The door for clients: files of the configured archives, and nothing else.</summary>
/// <remarks>
/// <code>
/// /ARCHIVE/pool/….deb          decided ──▶ its verified bytes, or 403 (refused), or 503 (rebuilders are silent)
/// /ARCHIVE/…/by-hash/SHA256/…  hashed before it is kept; from disk when it is there
/// /ARCHIVE/….diff/…            404: apt takes whole indexes, which are read here
/// /ARCHIVE/…                   as the archive has it; a package under another name is refused
/// an absolute URL, CONNECT, .., escapes of dots and slashes, //, backslashes: 400, by <see cref="ArchiveRequest.TryParse"/>
/// </code></remarks>
internal sealed class GateDoor(
    IEnumerable<Archive> archives, PackageAnswers packages, HashedAnswers hashed, PassedAnswers passed, LookAhead ahead)
{
    private readonly FrozenDictionary<string, Archive> _archives = archives.ToFrozenDictionary(archive => archive.Options.Name);

    public async Task AnswerAsync(HttpContext context)
    {
        var target = context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "";
        if (!ArchiveRequest.TryParse(target, out var request, out var error))
        {
            await context.FailAsync(StatusCodes.Status400BadRequest, $"Not a file of an archive: {Kebab.Of(error)}");
            return;
        }

        if (!HttpMethods.IsGet(context.Request.Method) && !HttpMethods.IsHead(context.Request.Method))
        {
            context.Response.Headers.Allow = "GET, HEAD";
            await context.FailAsync(StatusCodes.Status405MethodNotAllowed, "Read only");
            return;
        }

        if (OwnRequests.IsOurs(context.Request.Headers.UserAgent))
        {
            await context.FailAsync(StatusCodes.Status508LoopDetected, "Loop: an archive leads back to this gate");
            return;
        }

        OwnRequests.Follow(context.Request.Headers.UserAgent);
        if (context.Features.Get<UnreadRequests>() is { } unread)
        {
            ahead.Begin(unread.Look(context), ArchiveOf, unread.Closed);
        }

        await AnswerAsync(context, request);
        GateMetrics.Served(Kebab.Of(request.Kind), context.Response.StatusCode);
    }

    /// <summary>The archive of a request; null when there is none of that name.</summary>
    private Archive? ArchiveOf(ArchiveRequest request) => _archives.GetValueOrDefault(request.Archive);

    private async Task AnswerAsync(HttpContext context, ArchiveRequest request)
    {
        if (ArchiveOf(request) is not { } archive)
        {
            await context.FailAsync(StatusCodes.Status404NotFound,
                $"No archive '{request.Archive}' here: {string.Join(", ", _archives.Keys.Order(StringComparer.Ordinal))}");
            return;
        }

        try
        {
            await (request.Kind switch
            {
                RequestKind.Package => packages.AnswerAsync(context, archive, request),
                RequestKind.IndexDiff => context.FailAsync(StatusCodes.Status404NotFound, "No index differences here"),
                RequestKind.ByHash when request.HashName is "SHA256" => hashed.AnswerAsync(context, archive, request),
                _ => passed.AnswerAsync(context, archive, request),
            });
        }
        catch (ArchiveException exception) when (!context.Response.HasStarted)
        {
            await context.FailAsync(StatusCodes.Status502BadGateway,
                $"Bad gateway: the archive '{archive.Options.Name}' does not answer: {exception.Message}");
        }
        catch (IOException exception) when (!context.Response.HasStarted)
        {
            await context.FailAsync(StatusCodes.Status502BadGateway, $"Bad gateway: {exception.Message}");
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client went away.
        }
    }
}
