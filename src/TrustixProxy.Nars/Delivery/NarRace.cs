using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Nars.Delivery;

/// <summary>Opens the file of the best upstream that gives it. While one is silent, the next is asked beside it, and the first that sends
/// bytes is taken.</summary>
/// <param name="open">Opens the file of one; throws what <see cref="NarSource.OpenAsync"/> throws.</param>
/// <param name="onFault">Told of each that failed.</param>
/// <param name="patience">How long one may be silent before the next is asked.</param>
/// <param name="time">The clock.</param>
internal sealed class NarRace(
    Func<NarCandidate, CancellationToken, Task<NarSource>> open, Action<NarCandidate, NarFault> onFault, TimeSpan patience,
        TimeProvider time)
{
    /// <summary>Takes candidates off the list, first to last; those that were beaten go back to its beginning. Null when all have
    /// failed.</summary>
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

                using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
                var first = await Task.WhenAny(
                    [.. running.Keys, Task.Delay(candidates.Count > 0 ? patience : Timeout.InfiniteTimeSpan, time, stop.Token)]);
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

    /// <summary>Opens one; null where that failed or was cancelled.</summary>
    private async Task<NarSource?> TryOpenAsync(NarCandidate candidate, CancellationToken cancellation)
    {
        try
        {
            return await open(candidate, cancellation);
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException)
        {
            onFault(candidate, exception switch
            {
                NoNarException none => none.Fault,
                NarRefusedException refused => refused.Fault,
                _ =>
                NarFault.Unreachable
            });
        }
        catch (OperationCanceledException)
        {
            // Another was faster, or nobody waits any more.
        }

        return null;
    }
}
