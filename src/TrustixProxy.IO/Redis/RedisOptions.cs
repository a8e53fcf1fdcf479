using StackExchange.Redis;

namespace TrustixProxy.IO.Redis;

/// <summary>Configures the Redis that replicas share.</summary>
/// <param name="Configuration">Servers and settings in StackExchange.Redis syntax, <c>host:port,host:port,ssl=true</c>, for which
/// <see cref="FaultOf"/> is null.</param>
/// <param name="Password">The password; null without one.</param>
/// <param name="KeyPrefix">Prefix of every key and channel.</param>
public sealed record RedisOptions(string Configuration, string? Password = null, string KeyPrefix = "trustix-proxy:")
{
    /// <summary>Returns why settings are unusable, phrased to follow the key's name; null when they are valid.</summary>
    public static string? FaultOf(string configuration)
    {
        try
        {
            var parsed = ConfigurationOptions.Parse(configuration);
            return parsed.EndPoints.Count is 0
                ? $"is '{configuration}', which names no server; set host:port, for example localhost:6379."
                : parsed.Password is not null ? "has a password; put it into a file and set redis.passwordFile."
                : null;
        }
        catch (ArgumentException exception)
        {
            return $"is '{configuration}', which is not host:port with settings as StackExchange.Redis writes them: "
                + $"{exception.Message.Split('\n')[0]}";
        }
    }

    /// <summary>Maximum wait for one reply, in milliseconds: longer than a busy server takes, shorter than a client would notice.</summary>
    private const int Timeout = 250;

    /// <summary>Interval at which the library checks for timed-out calls, in milliseconds.</summary>
    private const int Heartbeat = 50;

    /// <summary>Builds the connection's settings. Those that bound a request's wait override the administrator's.</summary>
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
