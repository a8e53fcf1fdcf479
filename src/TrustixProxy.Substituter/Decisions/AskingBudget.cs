namespace TrustixProxy.Substituter.Decisions;

/// <summary>How often is asked again what was asked before: so many times a second, as much at once. Each time asks every upstream and elector at most once, so it bounds what each of them is asked.</summary>
/// <param name="perSecond">How many times a second.</param>
/// <param name="time">The clock.</param>
internal sealed class AskingBudget(int perSecond, TimeProvider time)
{
    private readonly Lock _turn = new();
    private double _left = perSecond;
    private long _at = time.GetTimestamp();

    /// <summary>Takes one asking; false when the budget is used up.</summary>
    public bool TryTake()
    {
        lock (_turn)
        {
            var now = time.GetTimestamp();
            _left = Math.Min(perSecond, _left + (time.GetElapsedTime(_at, now).TotalSeconds * perSecond));
            _at = now;
            if (_left < 1)
            {
                return false;
            }

            _left--;
            return true;
        }
    }
}
