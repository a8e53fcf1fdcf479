namespace TrustixProxy.IO.Connecting;

/// <summary>Bounds how often known refusals are asked about again: a number of requests a second to each upstream and elector.</summary>
/// <remarks>An asking takes one request from each account. Further requests to the same upstream or elector, such as retries, are charged
/// to its account.
/// While one account is empty, nothing is asked again.</remarks>
/// <param name="perSecond">How many a second, and how many at once after a pause.</param>
public sealed class AskingBudget(int perSecond, TimeProvider time)
{
    private static readonly AsyncLocal<Asking?> Current = new();

    private readonly Lock _turn = new();
    private readonly Dictionary<object, double> _accounts = []; // of those that were asked more than once in an asking
    private double _left = perSecond; // the account of everyone else
    private long _at = time.GetTimestamp();

    /// <summary>Takes one asking; false when the budget is used up.</summary>
    public bool TryTake()
    {
        lock (_turn)
        {
            Refill();
            if (_left < 1 || _accounts.Values.Any(left => left < 1))
            {
                return false;
            }

            _left--;
            foreach (var whom in _accounts.Keys)
            {
                _accounts[whom]--;
            }

            return true;
        }
    }

    /// <summary>Charges to this budget whatever the calling method asks from now on.</summary>
    public void Begin() => Current.Value = new Asking(this);

    /// <summary>Counts one request to an upstream or elector; does nothing outside of an asking that has a budget.</summary>
    /// <param name="whom">Stands for the upstream or elector.</param>
    public static void Charge(object whom) => Current.Value?.Charge(whom);

    private void Refill()
    {
        var now = time.GetTimestamp();
        var fresh = time.GetElapsedTime(_at, now).TotalSeconds * perSecond;
        (_left, _at) = (Math.Min(perSecond, _left + fresh), now);
        foreach (var (whom, left) in _accounts)
        {
            _accounts[whom] = left + fresh;
            if (left + fresh >= perSecond)
            {
                _accounts.Remove(whom);
            }
        }
    }

    private void Take(object whom)
    {
        lock (_turn)
        {
            _accounts[whom] = _accounts.GetValueOrDefault(whom, _left) - 1;
        }
    }

    /// <summary>One asking, which has paid for its first request to each.</summary>
    private sealed class Asking(AskingBudget budget)
    {
        private readonly Lock _asked = new();
        private readonly HashSet<object> _whom = [];

        public void Charge(object whom)
        {
            bool isPaid;
            lock (_asked)
            {
                isPaid = _whom.Add(whom);
            }

            if (!isPaid)
            {
                budget.Take(whom);
            }
        }
    }
}
