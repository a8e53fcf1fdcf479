using StackExchange.Redis;

namespace TrustixProxy.IO.Redis;

/// <summary>Where replicas meet.</summary>
/// <param name="Configuration">Servers and settings as StackExchange.Redis writes them: <c>host:port,host:port,ssl=true</c>; without a
/// <see cref="FaultOf"/>.</param>
/// <param name="Password">Null when the server wants none.</param>
/// <param name="KeyPrefix">What every key and channel begins with.</param>
public sealed record RedisOptions(string Configuration, string? Password = null, string KeyPrefix = "trustix-proxy:")
{
    /// <summary>Why settings cannot be used, to follow the name of the key; null when they can.</summary>
    public static string? FaultOf(string configuration)
    {
        try
        {
            var parsed = ConfigurationOptions.Parse(configuration);
            return parsed.EndPoints.Count is 0
                ? $"is '{configuration}', which names no server; write host:port, for example localhost:6379."
                : parsed.Password is not null ? "has a password; put it into a file of its own and name that as redis.passwordFile."
                : null;
        }
        catch (ArgumentException exception)
        {
            return $"is '{configuration}', which is not host:port with settings as StackExchange.Redis writes them: "
                + $"{exception.Message.Split('\n')[0]}";
        }
    }

    /// <summary>Longest wait for one reply: longer than a busy server takes, shorter than a client would notice.</summary>
    private const int Timeout = 250;

    /// <summary>How often the library looks for calls that have timed out, in milliseconds.</summary>
    private const int Heartbeat = 50;

    /// <summary>All settings for the connection. Those that keep a request from waiting for Redis override what the administrator
    /// wrote.</summary>
    public ConfigurationOptions ToConfiguration()
    {
        var parsed = ConfigurationOptions.Parse(Configuration);
        (parsed.AbortOnConnectFail, parsed.Password, parsed.ClientName) = (false, Password, "trustix-proxy");
        (parsed.ConnectTimeout, parsed.SyncTimeout, parsed.AsyncTimeout, parsed.KeepAlive, parsed.ConnectRetry) = (
            1000, 1000, Timeout, 5, 1);
        parsed.HeartbeatInterval = TimeSpan.FromMilliseconds(Heartbeat);
        parsed.BacklogPolicy = BacklogPolicy.FailFast;
        parsed.ReconnectRetryPolicy = new LinearRetry(500);
        return parsed;
    }
}
