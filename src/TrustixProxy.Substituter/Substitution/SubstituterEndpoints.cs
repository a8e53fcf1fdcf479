using System.Text;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Connections;
using TrustixProxy.Nars;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Fairness;
using TrustixProxy.Substituter.FrontDoor;
using TrustixProxy.Substituter.Revocations;
using TrustixProxy.Substituter.Wanted;

namespace TrustixProxy.Substituter.Substitution;

/// <summary>Defines all routes for clients.</summary>
/// <remarks>
/// <code>
/// /nix-cache-info      answered here, never forwarded: an upstream's fields could bypass the gate
/// /digest.narinfo      decided ──▶ 200 with our signature, or 404 with the reason; directly from memory if possible
/// /signing-key.pub     our public key, for clients of GNU Guix only
/// /nar/…               decided, and the URL names the agreed NAR ──▶ forwarded and verified, or 404
/// /log/…, /digest.ls   see <see cref="SideRoutes"/>
/// our own requests     404: an upstream that leads back to this proxy (a loop)
/// anything else        404; methods other than GET and HEAD 405
/// </code>
/// A refusal is a 404, so Nix tries its next substituter. Nix caches it for <c>narinfo-cache-negative-ttl</c> (default 3600 s).</remarks>
internal sealed class SubstituterEndpoints(
    ClosureGate decisions,
    MissingReferences missing,
    RevocationRegister revocations,
    NarForwarder forwarder,
    AnswerOptions options,
    FrontDoorOptions clients,
    TimeProvider time)
{
    /// <summary>Takes down which undecided paths clients ask for; null without a work list.</summary>
    public WantedRequests? Wanted { get; init; }

    /// <summary>Answers what clients ask for beside narinfos and NARs.</summary>
    public required SideRoutes Beside { get; init; }

    private const string NarInfoSuffix = ".narinfo", NarInfoType = "text/x-nix-narinfo";

    private readonly byte[] _cacheInfo = Encoding.ASCII.GetBytes(
        $"StoreDir: {(options.Guix is null ? Store.Nix : Store.Guix)}\nWantMassQuery: 1\nPriority: {options.Priority}\n");

    public Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value ?? "";
        if (!HttpMethods.IsGet(context.Request.Method) && !HttpMethods.IsHead(context.Request.Method))
        {
            context.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            context.Response.Headers.Allow = "GET, HEAD";
            return Task.CompletedTask;
        }

        if (OwnRequests.IsOurs(context.Request.Headers.UserAgent))
        {
            return WriteTextAsync(context, StatusCodes.Status404NotFound, "request loop: one of this proxy's upstreams leads back to it");
        }

        return path is "/nix-cache-info" ? context.WriteBodyAsync(StatusCodes.Status200OK, "text/x-nix-cache-info", _cacheInfo)
            : path.EndsWith(NarInfoSuffix, StringComparison.Ordinal) ? AnswerNarInfoAsync(context, path.AsSpan(1..^NarInfoSuffix.Length))
            : options.Guix is { } guix && path is GuixAnswers.KeyPath
                ? context.WriteBodyAsync(StatusCodes.Status200OK, AnswerHeaders.TextType, guix.KeyText)
            : NarUrl.TryParse(path.AsSpan(Math.Min(1, path.Length)), out var url) ? AnswerNarAsync(context, url)
            : Beside.Find(path) is { } answer ? answer(context)
            : WriteTextAsync(context, StatusCodes.Status404NotFound, "not found");
    }

    private Task AnswerNarInfoAsync(HttpContext context, ReadOnlySpan<char> text)
    {
        if (decisions.FindWarm(text) is not { } decision)
        {
            return StorePathDigest.TryParse(text, out var digest) ? DecideNarInfoAsync(context, digest)
                : WriteTextAsync(context, StatusCodes.Status404NotFound, "not found");
        }

        context.Response.Headers[AnswerHeaders.Decision] = decision.Record.Outcome.Word();
        return WriteNarInfoAsync(context, decision);
    }

    private async Task DecideNarInfoAsync(HttpContext context, StorePathDigest digest)
    {
        await Task.Yield(); // do not block the thread that read the request
        Requester.Follow(context);
        var decision = await decisions.DecideAsync(digest, context.RequestAborted);
        Say(context, decision.Record.Outcome);
        await WriteNarInfoAsync(context, decision);
    }

    private Task WriteNarInfoAsync(HttpContext context, Decision decision)
    {
        Wanted?.Note(decision.Wanted, context.Connection.RemoteIpAddress);
        if (options.Guix is not null)
        {
            context.Response.Headers.CacheControl =
                decision.Record.Claim is null ? GuixAnswers.RefusalLifetime : GuixAnswers.NarInfoLifetime;
        }

        if (decision.Record.Claim is null)
        {
            return context.RefuseAsync(decision, options.OnUndecided);
        }

        if (missing.Find(decision) is { } names)
        {
            context.Response.Headers[AnswerHeaders.Missing] = names;
        }

        return context.WriteBodyAsync(
            StatusCodes.Status200OK, options.Guix is null ? NarInfoType : GuixAnswers.NarInfoType, decision.Body);
    }

    private async Task AnswerNarAsync(HttpContext context, NarUrl url)
    {
        var start = time.GetTimestamp();
        await Task.Yield(); // do not block the thread that read the request
        Requester.Follow(context);
        var decision = await decisions.DecideAsync(url.Path, context.RequestAborted);
        Say(context, decision.Record.Outcome);
        Wanted?.Note(decision.Wanted, context.Connection.RemoteIpAddress);
        if (decision.Record.Claim is not { } claim)
        {
            await context.RefuseAsync(decision, options.OnUndecided);
        }
        else if (claim.NarHash != url.NarHash)
        {
            await WriteTextAsync(
                context, StatusCodes.Status404NotFound, $"{claim.Path}: agreed on {claim.NarHash}, not on {url.NarHash}");
        }
        else
        {
            await using var watched = SlowClientGuard.Watch(context, clients, time);
            await ServeNarAsync(context, new NarOrder(claim, url.Compression, url.FileHash, decision.Record.MustMatch, () =>
                revocations.Standing.Find(claim) is not null), start);
        }
    }

    private async Task ServeNarAsync(HttpContext context, NarOrder order, long start)
    {
        var isHead = HttpMethods.IsHead(context.Request.Method);
        var result = isHead ? await forwarder.LookAsync(context, order, start) : await forwarder.ForwardAsync(context, order, start);
        if (result is ForwardResult.Revoked)
        {
            var decision = await decisions.DecideAsync(order.Claim.Path.Digest, context.RequestAborted);
            Say(context, decision.Record.Outcome);
            // it may have been reversed in between
            await (decision.Record.Claim is null ? context.RefuseAsync(decision, options.OnUndecided)
                : ServeNarAsync(context, order, start));
        }
        else if (result is not ForwardResult.Answered)
        {
            Say(context, Outcome.NoUpstream);
            var isUnavailable = result is ForwardResult.Unavailable && options.OnUndecided is OnUndecided.Unavailable;
            await WriteTextAsync(context, isUnavailable ? StatusCodes.Status503ServiceUnavailable
                : StatusCodes.Status404NotFound, $"{order.Claim.Path}: no upstream has the agreed NAR in this form");
        }
    }

    /// <summary>Sets the outcome headers when the response starts, even if headers were cleared before.</summary>
    private static void Say(HttpContext context, Outcome outcome)
    {
        if (!context.Items.ContainsKey(AnswerHeaders.Decision))
        {
            context.Response.OnStarting(() =>
            {
                context.Response.Headers[AnswerHeaders.Decision] = (string)context.Items[AnswerHeaders.Decision]!;
                return Task.CompletedTask;
            });
        }

        context.Items[AnswerHeaders.Decision] = outcome.Word();
    }

    private static Task WriteTextAsync(HttpContext context, int status, string text) => context.WriteTextAsync(status, text + "\n");
}
