using TrustixProxy.Substituter.Fairness;


namespace TrustixProxy.Substituter.Pipelining;

/// <summary>Permission to look ahead, given by a request that passed authentication and limits.</summary>
/// <param name="Ahead">Decides ahead.</param>
/// <param name="Charge">Takes one request from a requester's limits; null when they are used up. Disposing the result ends the request's
/// share of concurrency.</param>
/// <param name="Requester">Who is charged, and has the turns.</param>
/// <param name="Sender">The headers that name the client.</param>
internal sealed record Admission(LookAhead Ahead, Func<Requester, IDisposable?> Charge, Requester Requester, SenderHeaders Sender)
{
    /// <summary>Charges nobody, where no limits are configured.</summary>
    public static Func<Requester, IDisposable?> Free { get; } = _ => NoCharge.Instance;

    private sealed class NoCharge : IDisposable
    {
        public static NoCharge Instance { get; } = new();

        public void Dispose()
        {
            // Nothing was taken.
        }
    }
}
