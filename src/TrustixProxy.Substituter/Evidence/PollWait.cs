using System.Threading.Channels;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>A wait of one poll that begins when it is first needed. It ends in the poll's loop.</summary>
/// <param name="due">How long it lasts.</param>
/// <param name="loop">Runs actions in order.</param>
internal sealed class PollWait(TimeSpan due, ChannelWriter<Action> loop, TimeProvider time) : IAsyncDisposable
{
    private ITimer? _timer;

    /// <summary>Whether it began and is over.</summary>
    public bool IsOver { get; private set; }

    /// <summary>Begins it, unless it has begun.</summary>
    public void Begin() => _timer ??= time.CreateTimer(
        _ => loop.TryWrite(() => IsOver = true), null, due, Timeout.InfiniteTimeSpan);

    public ValueTask DisposeAsync() => _timer?.DisposeAsync() ?? ValueTask.CompletedTask;
}
