using System.Globalization;

namespace TrustixProxy.Rebuilder.Stores;

/// <summary>What one command of Nix may use.</summary>
/// <param name="Time">Maximum time.</param>
/// <param name="Temporary">The folder for its temporary files, counted as disk; empty for the system's own.</param>
internal sealed record NixBounds(TimeSpan Time, string Temporary)
{
    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);

    /// <summary>Pause between two looks at the disk, by the time that the last look took.</summary>
    private const int Rest = 9;

    /// <summary>Maximum size of the folders in <see cref="Measured"/> together, in bytes.</summary>
    public long Disk { get; init; } = long.MaxValue;

    /// <summary>Lists the folders and files that the command fills.</summary>
    public Func<IEnumerable<string>> Measured { get; init; } = () => [];

    /// <summary>The bound of all commands together; null for none.</summary>
    public StoreBound? Store { get; init; }

    /// <summary>Waits until a bound is exceeded, and returns which; null when cancelled before.</summary>
    public async Task<Exceeded?> GuardAsync(TimeProvider time, CancellationToken cancellation)
    {
        var (start, pause) = (time.GetTimestamp(), Poll);
        try
        {
            while (true)
            {
                await Task.Delay(pause, time, cancellation);
                if (time.GetElapsedTime(start) > Time)
                {
                    return new Exceeded($"it took more than {Time:c} (rebuilder.time)", IsOfStore: false);
                }

                var look = time.GetTimestamp();
                if (await LookAsync(cancellation) is { } exceeded)
                {
                    return exceeded;
                }

                pause = time.GetElapsedTime(look) * Rest is var rest && rest > Poll ? rest : Poll;
            }
        }
        catch (OperationCanceledException)
        {
            return null;
        }
        finally
        {
            Store?.End(this);
        }
    }

    private async Task<Exceeded?> LookAsync(CancellationToken cancellation)
    {
        if (Disk == long.MaxValue && Store is null)
        {
            return null;
        }

        var size = await FolderSize.OfAsync(Measured(), cancellation);
        return size > Disk ? new Exceeded(string.Create(CultureInfo.InvariantCulture,
                $"it used {size} bytes of disk, more than {Disk} (rebuilder.disk)"), IsOfStore: false)
            : Store is not null && await Store.LookAsync(this, size, cancellation) is { } reason ? new Exceeded(reason, IsOfStore: true)
            : null;
    }
}

/// <summary>A bound that a command exceeded.</summary>
/// <param name="Reason">Which, and by how much.</param>
/// <param name="IsOfStore">Whether it is that of the whole store, which is no fault of this command.</param>
internal sealed record Exceeded(string Reason, bool IsOfStore);
