namespace TrustixProxy.Nars.Delivery;

/// <summary>Wakes those who wait for a change. Both members are called under one lock.</summary>
internal sealed class Signal
{
    private TaskCompletionSource? _waiting;

    /// <summary>Ends at the next change.</summary>
    public Task Next => (_waiting ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    /// <summary>Tells of a change.</summary>
    public void Fire()
    {
        _waiting?.TrySetResult();
        _waiting = null;
    }
}
