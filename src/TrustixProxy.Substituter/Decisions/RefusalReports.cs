using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Limits the logging of refusals, since any client can cause any number: a few per outcome at once, then one a minute with the
/// number left out.</summary>
internal sealed class RefusalReports(ILogger logger, TimeProvider time)
{
    private const int AtOnce = 5;

    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private readonly Lock _turn = new();
    private readonly Dictionary<Outcome, Account> _accounts = [];

    public void Refused(string digest, Outcome outcome, string sentence)
    {
        if (Take(outcome) is not { } untold)
        {
            return;
        }

        logger.Refused(digest, outcome.Word(), sentence);
        if (untold > 0)
        {
            logger.RefusalsNotTold(untold, outcome.Word());
        }
    }

    /// <summary>Returns the refusals left out since the last one logged; null if this one is left out too.</summary>
    private long? Take(Outcome outcome)
    {
        lock (_turn)
        {
            var now = time.GetTimestamp();
            var account = _accounts.TryGetValue(outcome, out var known) ? known
                : _accounts[outcome] = new Account { Left = AtOnce, At = now };
            var refill = Math.Min(AtOnce, (long)(time.GetElapsedTime(account.At, now) / Interval));
            if (refill > 0)
            {
                (account.Left, account.At) = (Math.Min(AtOnce, account.Left + refill), now);
            }

            if (account.Left is 0)
            {
                account.Untold++;
                return null;
            }

            account.Left--;
            var untold = account.Untold;
            account.Untold = 0;
            return untold;
        }
    }

    private sealed class Account
    {
        public long Left { get; set; }

        public long At { get; set; }

        public long Untold { get; set; }
    }
}
