namespace TrustixProxy.Substituter.Pipelining;

/// <summary>Permission to look ahead, given by a request that passed authentication and limits.</summary>
/// <param name="Ahead">Decides ahead.</param>
/// <param name="Charge">Takes one request from a client's limits; null when they are used up. Disposing the result ends the request's
/// share of concurrency.</param>
/// <param name="Client">The client that is charged.</param>
/// <param name="Sender">The headers that name the client.</param>
internal sealed record Admission(LookAhead Ahead, Func<string, IDisposable?> Charge, string Client, SenderHeaders Sender)
{
    /// <summary>Charges nobody, where no limits are configured.</summary>
    public static Func<string, IDisposable?> Free { get; } = _ => NoCharge.Instance;

    private sealed class NoCharge : IDisposable
    {
        public static NoCharge Instance { get; } = new();

        public void Dispose()
        {
            // Nothing was taken.
        }
    }
}
