using System.Text;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Health;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Notifies open pages of changes by server-sent events, at most one a second. The page then fetches itself again.</summary>
/// <param name="nars">Changes when a NAR has gone out.</param>
/// <param name="stopping">Ends all connections.</param>
internal sealed class LiveEvents(DecisionJournal journal, HealthCheck check, Func<long> nars, TimeProvider time, CancellationToken stopping)
{
    /// <summary>Maximum concurrent viewers.</summary>
    internal const int Most = 32;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>Seconds of silence before a keep-alive, which detects dead connections.</summary>
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
            // The page was closed, or the host is stopping.
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

    /// <summary>Returns a text that differs after every change.</summary>
    private string Stamp()
    {
        var health = check.Look();
        var logs = string.Join(',', health.Logs.Select(log => $"{log.Size} {log.State}"));
        var sources = string.Join(',', health.Upstreams.Concat(health.Caches).Select(source => $"{source.State} {source.Since}"));
        return $"{journal.Version}|{nars()}|{health.CanDecide}|{logs}|{sources}";
    }

    private static async Task WriteAsync(HttpResponse response, string text, CancellationToken cancellation)
    {
        await response.Body.WriteAsync(Encoding.ASCII.GetBytes(text), cancellation);
        await response.Body.FlushAsync(cancellation);
    }
}
