namespace TrustixProxy.Substituter.Evidence;

/// <summary>A wait of one poll that begins when it is first needed. It ends in the poll's loop.</summary>
/// <param name="due">How long it lasts.</param>
/// <param name="schedule">Has the loop run an action after a time.</param>
internal sealed class PollWait(TimeSpan due, Func<TimeSpan, Action, ITimer> schedule) : IAsyncDisposable
{
    private ITimer? _timer;

    /// <summary>Whether it began and is over.</summary>
    public bool IsOver { get; private set; }

    /// <summary>Begins it, unless it has begun.</summary>
    public void Begin() => _timer ??= schedule(due, () => IsOver = true);

    public ValueTask DisposeAsync() => _timer?.DisposeAsync() ?? ValueTask.CompletedTask;
}
