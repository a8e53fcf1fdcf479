using Microsoft.AspNetCore.Http;
using TrustixProxy.Apt;
using TrustixProxy.AptGate.Archives;
using TrustixProxy.AptGate.Decisions;
using TrustixProxy.AptGate.Delivery;
using TrustixProxy.AptGate.Indexes;
using TrustixProxy.Consensus;

namespace TrustixProxy.AptGate.Serving;

/// <summary>Answers requests for packages: decided before a byte leaves.</summary>
/// <remarks>
/// <code>
/// an index names the file ──▶ decided by name and SHA-256 ──▶ the archive's file, hashed while it streams, the end withheld
/// no index does           ──▶ fetched whole, hashed       ──▶ decided by name and SHA-256 ──▶ sent
/// </code></remarks>
internal sealed class PackageAnswers(IndexReadings indexes, DebDecider decider, GateFiles files)
{
    /// <summary>Maximum number of fetches that go on for clients that gave up: others could begin any number.</summary>
    private const int MostGivenUp = 8;

    private int _givenUp;

    public async Task AnswerAsync(HttpContext context, Archive archive, ArchiveRequest request)
    {
        if (await indexes.FindAsync(archive.Options.Name, request.Path, context.RequestAborted) is { } known)
        {
            await AnswerAsync(context, archive, request, known);
        }
        else
        {
            await AnswerUnknownAsync(context, archive, request);
        }
    }

    private async Task AnswerAsync(HttpContext context, Archive archive, ArchiveRequest request, IndexedFile known)
    {
        var verdict = await DecideAsync(context, request, known);
        if (!verdict.IsGranted
            && await indexes.FindOtherAsync(archive.Options.Name, request.Path, known, context.RequestAborted) is { } newer)
        {
            (known, verdict) = (newer, await DecideAsync(context, request, newer));
        }

        if (!await IsGrantedAsync(context, verdict))
        {
            return;
        }

        var order = new FileOrder(archive, request.UrlPath, known.Sha256, known.Size);
        var (content, start) = await files.OpenAsync(order, context.RequestAborted);
        using (content)
        {
            await (content is null ? FailAsync(context, start) : FileAnswer.WriteAsync(context, content, known.Sha256.ToString()));
        }
    }

    private async Task AnswerUnknownAsync(HttpContext context, Archive archive, ArchiveRequest request)
    {
        var fetch = files.Fetch(new FileOrder(archive, request.UrlPath, null, null));
        FileContent? content = null;
        var isGivenUp = false;
        try
        {
            var start = await fetch.Started.WaitAsync(context.RequestAborted);
            var end = start.Status is 200 ? await fetch.Ended.WaitAsync(context.RequestAborted) : null;
            if (end is not { Fault: null })
            {
                await FailAsync(context, end is null ? start : new FetchStart(502, null, null, end.Fault!));
                return;
            }

            var asked = new AskedDeb(request.File!, end.Sha256);
            if (await IsGrantedAsync(context, (await decider.DecideAsync(asked, version: null, context.RequestAborted)).Verdict))
            {
                content = new FileContent(fetch, end.Length, start.ModifiedAt);
                await FileAnswer.WriteAsync(context, content, end.Sha256.ToString());
            }
        }
        catch (OperationCanceledException)
        {
            isGivenUp = true;
            throw;
        }
        finally
        {
            _ = content is null ? LeaveAsync(fetch, isGivenUp) : Task.CompletedTask;
            content?.Dispose();
        }
    }

    /// <summary>Leaves a fetch. A client that gave up before a byte left is apt, which waits for 30 s and tries again: then the
    /// fetch goes on, and the next try joins it.</summary>
    private async Task LeaveAsync(FileFetch fetch, bool isGivenUp)
    {
        if (isGivenUp)
        {
            await (Interlocked.Increment(ref _givenUp) <= MostGivenUp ? fetch.Ended : Task.CompletedTask);
            Interlocked.Decrement(ref _givenUp);
        }

        fetch.Leave();
    }

    private async Task<DebVerdict> DecideAsync(HttpContext context, ArchiveRequest request, IndexedFile known) =>
        (await decider.DecideAsync(new AskedDeb(request.File!, known.Sha256), known.Version, context.RequestAborted)).Verdict;

    private static async Task<bool> IsGrantedAsync(HttpContext context, DebVerdict verdict)
    {
        if (!verdict.IsGranted)
        {
            await context.RefuseAsync(verdict);
            return false;
        }

        context.Response.Headers[AnswerHeaders.Decision] = verdict.Outcome.Word();
        return true;
    }

    internal static Task FailAsync(HttpContext context, FetchStart start) => context.FailAsync(
        start.Status, start.Status is 404 or 410 ? "Not found in the archive" : $"Bad gateway: {start.Reason}");
}
