using System.IO.Pipelines;

namespace TrustixProxy.Substituter.Pipelining;

/// <summary>A connection's output that can keep answers back, so that several are sent in one write.</summary>
/// <param name="inner">The connection's output.</param>
internal sealed class HeldOutput(PipeWriter inner) : PipeWriter
{
    /// <summary>Maximum bytes that are kept back.</summary>
    private const int Most = 16 << 10;

    private Task _flushing = Task.CompletedTask;

    /// <summary>Whether a flush waits for a later one. False at first.</summary>
    public bool IsHeld { get; set; }

    public override bool CanGetUnflushedBytes => inner.CanGetUnflushedBytes;

    public override long UnflushedBytes => inner.UnflushedBytes;

    /// <summary>Sends what was kept back, and keeps nothing more back. Only between two answers.</summary>
    public void Release()
    {
        IsHeld = false;
        if (UnflushedBytes > 0)
        {
            _flushing = inner.FlushAsync().AsTask();
        }
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) =>
        IsHeld && UnflushedBytes < Most ? default
        : _flushing.IsCompletedSuccessfully ? inner.FlushAsync(cancellationToken) : FlushNextAsync(cancellationToken);

    public override void Advance(int bytes) => inner.Advance(bytes);

    public override Memory<byte> GetMemory(int sizeHint = 0) => inner.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => inner.GetSpan(sizeHint);

    public override void CancelPendingFlush() => inner.CancelPendingFlush();

    public override void Complete(Exception? exception = null) => inner.Complete(exception);

    public override ValueTask CompleteAsync(Exception? exception = null) => inner.CompleteAsync(exception);

    /// <summary>A pipe takes one flush at a time.</summary>
    private async ValueTask<FlushResult> FlushNextAsync(CancellationToken cancellation)
    {
        await _flushing;
        return await inner.FlushAsync(cancellation);
    }
}
