using System.Text;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Health;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Tells who looks at a page that there is something new: server-sent events, at most one a second. What it is, the page itself
/// says when it is fetched again.</summary>
/// <param name="journal">Decisions.</param>
/// <param name="check">How the proxy fares.</param>
/// <param name="time">The clock.</param>
/// <param name="stopping">Ends all of them.</param>
internal sealed class LiveEvents(DecisionJournal journal, HealthCheck check, TimeProvider time, CancellationToken stopping)
{
    /// <summary>How many may look at once.</summary>
    internal const int Most = 32;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>After how many quiet seconds a sign of life is given, so that connections that are gone are noticed.</summary>
    private const int Quiet = 15;

    private int _count;

    public async Task AnswerAsync(HttpContext context)
    {
        if (Interlocked.Increment(ref _count) > Most)
        {
            Interlocked.Decrement(ref _count);
            (context.Response.StatusCode, context.Response.Headers.RetryAfter) = (StatusCodes.Status503ServiceUnavailable, "60");
            return;
        }

        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        try
        {
            context.Response.ContentType = "text/event-stream";
            await TellAsync(context.Response, end.Token);
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
            // It is closed, or the host stops.
        }
        finally
        {
            Interlocked.Decrement(ref _count);
        }
    }

    private async Task TellAsync(HttpResponse response, CancellationToken cancellation)
    {
        var (told, quiet) = (Stamp(), 0);
        await WriteAsync(response, "retry: 2000\nevent: hello\ndata: \n\n", cancellation);
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(cancellation))
        {
            var now = Stamp();
            if (now != told || ++quiet >= Quiet)
            {
                await WriteAsync(response, now != told ? "event: change\ndata: \n\n" : ":\n\n", cancellation);
                (told, quiet) = (now, 0);
            }
        }
    }

    /// <summary>What is different when something has changed.</summary>
    private string Stamp()
    {
        var health = check.Look();
        var logs = string.Join(',', health.Logs.Select(log => $"{log.Size} {log.State}"));
        var sources = string.Join(',', health.Upstreams.Concat(health.Caches).Select(source => $"{source.State} {source.Since}"));
        return $"{journal.Version}|{health.CanDecide}|{logs}|{sources}";
    }

    private static async Task WriteAsync(HttpResponse response, string text, CancellationToken cancellation)
    {
        await response.Body.WriteAsync(Encoding.ASCII.GetBytes(text), cancellation);
        await response.Body.FlushAsync(cancellation);
    }
}
