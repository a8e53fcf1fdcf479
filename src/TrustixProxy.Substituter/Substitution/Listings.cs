using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Caching.Memory;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Connections;
using TrustixProxy.Nars;
using TrustixProxy.Nars.Comparison;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Fairness;
using TrustixProxy.Substituter.Revocations;

namespace TrustixProxy.Substituter.Substitution;

/// <summary>Lists the files of paths that may be served, from their verified NARs. No upstream's listing is passed on.</summary>
/// <param name="decisions">Decides whether the path may be served, at each request.</param>
/// <param name="revocations">Revocations, which end a listing that is underway.</param>
/// <param name="forwarder">Opens the NAR: from the store, or from a download that clients share.</param>
/// <param name="options">How refusals are answered.</param>
/// <param name="deadline">Maximum wait for a turn.</param>
/// <remarks>A listing depends on the NAR alone, so that it is kept by the NAR's hash. Few are made at once, each for a bounded
/// time.</remarks>
internal sealed class Listings(
    ClosureGate decisions, RevocationRegister revocations, NarForwarder forwarder, AnswerOptions options, TimeSpan deadline,
    TimeProvider time) : IDisposable
{
    /// <summary>Maximum number of listings made at once: each may take <see cref="NarListing.MaxSize"/>, and a download.</summary>
    private const int MaxAtOnce = 2;

    private static readonly TimeSpan MaxTime = TimeSpan.FromMinutes(10);

    private readonly SemaphoreSlim _turns = new(MaxAtOnce);
    private readonly MemoryCache _made = new(new MemoryCacheOptions { SizeLimit = NarListing.MaxSize });

    /// <summary>Answers with the listing of the path with a digest.</summary>
    public async Task AnswerAsync(HttpContext context, StorePathDigest digest)
    {
        await Task.Yield(); // do not block the thread that read the request
        Requester.Follow(context);
        var decision = await decisions.DecideAsync(digest, context.RequestAborted);
        context.Response.Mark(decision.Record.Outcome.Word());
        if (decision.Record is not { Claim: { } claim, Hints: { } hints } record)
        {
            await context.RefuseAsync(decision, options.OnUndecided);
            return;
        }

        if (!_made.TryGetValue(claim.NarHash, out byte[]? listing))
        {
            if (!await _turns.WaitAsync(deadline, context.RequestAborted))
            {
                context.Response.Headers.RetryAfter = "1";
                await context.WriteTextAsync(StatusCodes.Status503ServiceUnavailable, "other listings are being made\n");
                return;
            }

            var order = new NarOrder(
                claim, hints.Compression, hints.FileHash, record.MustMatch, () => revocations.Standing.Find(claim) is not null);
            try
            {
                listing = await MakeAsync(order, context.RequestAborted);
                _made.Set(claim.NarHash, listing, new MemoryCacheEntryOptions { Size = listing.Length });
            }
            catch (NarUnreadableException exception)
            {
                context.Response.Headers[AnswerHeaders.Decision] = Outcome.NoUpstream.Word();
                await context.WriteTextAsync(StatusCodes.Status404NotFound, exception.Message + "\n");
                return;
            }
            finally
            {
                _turns.Release();
            }
        }

        if (revocations.Standing.Find(claim) is not null)
        {
            decision = await decisions.DecideAsync(digest, context.RequestAborted); // revoked while the listing was made
            context.Response.Mark(decision.Record.Outcome.Word());
            await context.RefuseAsync(decision, options.OnUndecided);
            return;
        }

        await context.WriteBodyAsync(StatusCodes.Status200OK, "application/json", listing!);
    }

    public void Dispose()
    {
        _turns.Dispose();
        _made.Dispose();
    }

    private async Task<byte[]> MakeAsync(NarOrder order, CancellationToken cancellation)
    {
        using var late = new CancellationTokenSource(MaxTime, time);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellation);
        return await NarListing.WriteAsync(
            new NarSource($"{order.Claim.Path}", order.Claim.NarHash, order.Claim.NarSize, token => forwarder.OpenAsync(order, token)),
            end.Token);
    }
}
