using System.Collections.Concurrent;

namespace TrustixProxy.Simulation;

/// <summary>A world on its way.</summary>
/// <param name="World">The world.</param>
/// <param name="Run">Its way.</param>
internal sealed record RunningWorld(World World, Task Run);

/// <summary>Runs all that some worlds do on one thread, and lets their clocks go on whenever nothing is left to do at the present
/// instant.</summary>
/// <remarks>What does not keep to the thread (writers to the disk, continuations of libraries) is waited for: the thread pool must be the
/// worlds' alone.</remarks>
internal sealed class Turns : SynchronizationContext
{
    private readonly ConcurrentQueue<(SendOrPostCallback Callback, object? State)> _waiting = new();

    public override void Post(SendOrPostCallback d, object? state) => _waiting.Enqueue((d, state));

    /// <summary>How long a world in which nothing is due may wait for a thread that does not run.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Runs them to their ends, good or bad.</summary>
    public IReadOnlyList<RunningWorld> Run(IReadOnlyList<World> worlds, Func<World, Task> run)
    {
        SetSynchronizationContext(this);
        var running = worlds.Select(world => new RunningWorld(world, run(world))).ToList();
        while (running.Any(world => !world.Run.IsCompleted))
        {
            TakeTurn(running);
        }

        SetSynchronizationContext(null);
        return running;
    }

    /// <summary>Whether work came from a thread outside the pool, which a busy machine may let wait.</summary>
    private bool HasWork => !_waiting.IsEmpty || IsPoolBusy;

    private void TakeTurn(List<RunningWorld> running)
    {
        if (_waiting.TryDequeue(out var next))
        {
            next.Callback(next.State);
        }
        else if (IsPoolBusy)
        {
            Thread.Yield();
        }
        else if (_waiting.IsEmpty)
        {
            SetSynchronizationContext(null); // what waits for a clock may go on at once
            foreach (var (world, run) in running)
            {
                if (!run.IsCompleted && !world.Time.GoOn() && !SpinWait.SpinUntil(() => run.IsCompleted || HasWork, Patience))
                {
                    throw new InvalidOperationException($"All wait in world {world.Number}, and nothing is due.");
                }
            }

            SetSynchronizationContext(this);
        }
    }

    /// <remarks>Working threads are counted before and after what is queued: a thread that has just run out of work counts as none for an
    /// instant, and may in the next have taken up what came meanwhile.</remarks>
    private static bool IsPoolBusy => IsPoolWorking || ThreadPool.PendingWorkItemCount > 0 || IsPoolWorking;

    private static bool IsPoolWorking
    {
        get
        {
            ThreadPool.GetMaxThreads(out var all, out _);
            ThreadPool.GetAvailableThreads(out var idle, out _);
            return idle < all;
        }
    }
}
