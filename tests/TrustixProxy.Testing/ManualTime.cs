namespace TrustixProxy.Testing;

/// <summary>A clock that stands still until it is moved.</summary>
public sealed class ManualTime : TimeProvider
{
    public DateTimeOffset Now { get; set; } = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>Called at each look at the clock: a test does here what another thread may do at that moment.</summary>
    public Action? OnLook { get; set; }

    public override DateTimeOffset GetUtcNow()
    {
        OnLook?.Invoke();
        return Now;
    }

    public override long GetTimestamp() => Now.UtcTicks;
}
