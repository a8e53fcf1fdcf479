using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace TrustixProxy.IO.Redis;

/// <summary>Tells an operator what Redis denies us: each denial once, until the next connection.</summary>
internal sealed class RedisRefusals(RedisOptions options, ILogger logger)
{
    private const int Most = 32;

    private readonly HashSet<string> _told = [];

    /// <summary>Tells of a reply that is an error.</summary>
    public void Tell(Exception exception)
    {
        if (!exception.Message.Contains("NOPERM", StringComparison.Ordinal))
        {
            logger.RedisRefused(exception.Message);
        }
        else
        {
            TellOnce(exception.Message, () => logger.RedisDenied(exception.Message, options.User ?? "default", options.Permissions));
        }
    }

    /// <summary>Tells why there is no connection.</summary>
    public void TellOfConnecting(Exception exception)
    {
        var all = $"{exception.Message} {exception.InnerException?.Message} {exception.GetBaseException().Message}";
        bool Says(string word) => all.Contains(word, StringComparison.Ordinal);
        if (Says("NOPERM"))
        {
            Tell(exception);
        }
        else if (Says("certificate") || Says("SSL routines"))
        {
            TellOnce("TLS", () => logger.RedisTlsFailed(ReasonOf(exception)));
        }
        else if (Says("NOAUTH") || Says("WRONGPASS") || Says("AuthenticationFailure"))
        {
            TellOnce("password", () => logger.RedisRejectsPassword(options.User ?? "default"));
        }
        else
        {
            logger.RedisNotReached(all);
        }
    }

    /// <summary>Tells why a connection does not come back: the library says it with each call.</summary>
    public void TellOfLoss(Exception exception)
    {
        if (exception is RedisConnectionException)
        {
            TellOfConnecting(exception);
        }
    }

    /// <summary>Forgets what was told.</summary>
    public void Forget()
    {
        lock (_told)
        {
            _told.Clear();
        }
    }

    private void TellOnce(string what, Action tell)
    {
        bool isNew;
        lock (_told)
        {
            isNew = _told.Count < Most && _told.Add(what);
        }

        if (isNew)
        {
            tell();
        }
    }

    /// <summary>Returns what the library says before the state of its threads.</summary>
    private static string ReasonOf(Exception exception) => exception.Message.Split(", mc:")[0];
}
