namespace TrustixProxy.Nars.Delivery;

/// <summary>Wakes tasks that wait for a change. Both members are called under one lock.</summary>
internal sealed class Signal
{
    private TaskCompletionSource? _waiting;

    /// <summary>Completes at the next change.</summary>
    public Task Next => (_waiting ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    /// <summary>Signals a change.</summary>
    public void Fire()
    {
        _waiting?.TrySetResult();
        _waiting = null;
    }
}
