namespace TrustixProxy.IO.Connecting;

/// <summary>Limits how often known refusals are asked about again: requests per second to each upstream and elector.</summary>
/// <remarks>Each retry of a refusal takes one request from every account. Further requests to the same upstream or elector are charged to
/// its account. While any account is empty, no refusal is retried. The caller may exempt a refusal whose cause is gone, once; its further
/// requests are charged.</remarks>
/// <param name="perSecond">Sustained requests per second; also the burst after a pause.</param>
public sealed class AskingBudget(int perSecond, TimeProvider time)
{
    private static readonly AsyncLocal<Asking?> Current = new();

    private readonly Lock _turn = new();
    private readonly Dictionary<object, double> _accounts = []; // those asked more than once in a retry
    private double _left = perSecond; // the account of all others
    private long _at = time.GetTimestamp();

    /// <summary>Takes one retry from the budget; false when it is used up.</summary>
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

    /// <summary>Charges this budget for all requests that the calling method makes from now on.</summary>
    public void Begin() => Current.Value = new Asking(this);

    /// <summary>Charges one request to an upstream or elector; does nothing outside a budgeted retry.</summary>
    /// <param name="whom">Identifies the upstream or elector.</param>
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

    /// <summary>One retry, which has paid for its first request to each.</summary>
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
