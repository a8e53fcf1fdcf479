using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Nars.Delivery;

/// <summary>Opens the files of a <see cref="NarRace"/>.</summary>
internal abstract class NarOpener
{
    /// <summary>Opens one candidate's file; throws what <see cref="NarSource.OpenAsync"/> throws.</summary>
    public abstract Task<NarSource> OpenAsync(NarCandidate candidate, CancellationToken cancellation);

    /// <summary>Notes a candidate that failed.</summary>
    public abstract void Refuse(NarCandidate candidate, NarFault fault);
}

/// <summary>Opens the file of the best upstream that delivers. While one is silent, the next is asked in parallel; the first to send bytes
/// wins.</summary>
/// <param name="opener">Opens the files.</param>
/// <param name="patience">How long a candidate may be silent before the next is asked.</param>
internal sealed class NarRace(NarOpener opener, TimeSpan patience, TimeProvider time)
{
    /// <summary>How long the store that replicas share may be silent.</summary>
    private static readonly TimeSpan ShortPatience = TimeSpan.FromMilliseconds(300);

    /// <summary>Takes candidates off the front of the list; losers of the race return to the front. Null when all have failed.</summary>
    public async Task<NarSource?> RunAsync(List<NarCandidate> candidates, CancellationToken cancellation)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var running = new Dictionary<Task<NarSource?>, NarCandidate>();
        try
        {
            while (true)
            {
                if (candidates.Count > 0 && running.Values.All(other => other.IsSameFile == candidates[0].IsSameFile))
                {
                    running.Add(TryOpenAsync(candidates[0], end.Token), candidates[0]);
                    candidates.RemoveAt(0);
                }

                if (running.Count is 0)
                {
                    return null;
                }

                var wait = running.Values.All(candidate => candidate.Upstream.Options.IsShared) && patience > ShortPatience ? ShortPatience
                    : patience;
                using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
                var first = await Task.WhenAny(
                    [.. running.Keys, Task.Delay(candidates.Count > 0 ? wait : Timeout.InfiniteTimeSpan, time, stop.Token)]);
                await stop.CancelAsync();
                if (first is Task<NarSource?> opened && running.Remove(opened) && await opened is { } source)
                {
                    return source;
                }

                cancellation.ThrowIfCancellationRequested();
            }
        }
        finally
        {
            await end.CancelAsync();
            foreach (var (loser, candidate) in running)
            {
                await using var late = await loser;
                candidates.Insert(0, candidate);
            }
        }
    }

    /// <summary>Opens one candidate; null on failure or cancellation.</summary>
    private async Task<NarSource?> TryOpenAsync(NarCandidate candidate, CancellationToken cancellation)
    {
        try
        {
            return await opener.OpenAsync(candidate, cancellation);
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException)
        {
            opener.Refuse(candidate, exception switch
            {
                NoNarException none => none.Fault,
                NarRefusedException refused => refused.Fault,
                _ => NarFault.Unreachable,
            });
        }
        catch (OperationCanceledException)
        {
            // Another was faster, or all clients have left.
        }

        return null;
    }
}
