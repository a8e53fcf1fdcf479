using System.Net;
using System.Net.Security;
using StackExchange.Redis;
using TrustixProxy.IO.Certificates;

namespace TrustixProxy.IO.Redis;

/// <summary>Configures the Redis that replicas share.</summary>
/// <param name="Configuration">Servers and settings in StackExchange.Redis syntax, <c>host:port,host:port,ssl=true</c>, for which
/// <see cref="FaultOf"/> is null; <c>unix:/path</c> is a server, too.</param>
/// <param name="Password">The password; null without one.</param>
/// <param name="KeyPrefix">Prefix of every key and channel.</param>
public sealed record RedisOptions(string Configuration, string? Password = null, string KeyPrefix = "trustix-proxy:")
{
    private const string Unix = "unix:/";

    /// <summary>Our certificate, where it uses TLS; null for none.</summary>
    public TlsCertificate? Certificate { get; init; }

    /// <summary>Those who alone vouch for its certificates; null for whom this machine trusts.</summary>
    public CertificateAuthorities? Authorities { get; init; }

    /// <summary>Whether connections use TLS.</summary>
    public bool UsesTls => Parse(Configuration).Ssl;

    /// <summary>What a user needs to be allowed, as <c>ACL SETUSER</c> takes it.</summary>
    public string Permissions => $"~{KeyPrefix}* &{KeyPrefix}* +@connection +info +eval +get +getrange +set +setex +psetex +del "
        + "+unlink +pexpire +hset +hscan +type +memory|usage +publish +subscribe +unsubscribe +cluster|nodes +cluster|slots";

    /// <summary>The ACL user; null for the default one.</summary>
    internal string? User => Parse(Configuration).User;

    /// <summary>Returns why settings are unusable, phrased to follow the key's name; null when they are valid.</summary>
    public static string? FaultOf(string configuration)
    {
        try
        {
            var parsed = Parse(configuration);
            return parsed.EndPoints.Count is 0
                ? $"is '{configuration}', which names no server; set host:port, for example localhost:6379."
                : parsed.EndPoints.OfType<DnsEndPoint>().FirstOrDefault(place => place.Host.Contains('/')) is { Host: var host }
                    ? $"has '{host}', which is no host; a unix socket is unix:/path."
                : parsed.Password is not null || parsed.SentinelPassword is not null
                    ? "has a password; put it into a file and set redis.passwordFile."
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
        var parsed = Parse(Configuration);
        (parsed.AbortOnConnectFail, parsed.Password, parsed.ClientName) = (false, Password, "trustix-proxy");
        (parsed.ConnectTimeout, parsed.SyncTimeout, parsed.AsyncTimeout, parsed.KeepAlive, parsed.ConnectRetry) = (
            1000, 1000, Timeout, 5, 1);
        parsed.HeartbeatInterval = TimeSpan.FromMilliseconds(Heartbeat);
        parsed.BacklogPolicy = BacklogPolicy.FailFast;
        parsed.ReconnectRetryPolicy = new LinearRetry(500);
        parsed.ConfigCheckSeconds = 5; // a failover that nobody announces
        parsed.TieBreaker = ""; // a key without our prefix, which an ACL user may not read
        if (parsed.Ssl && (Certificate is not null || Authorities is not null))
        {
            var named = parsed.SslHost;
            parsed.SslClientAuthenticationOptions = host => new SslClientAuthenticationOptions
            {
                TargetHost = string.IsNullOrEmpty(named) ? host : named,
                ClientCertificateContext = Certificate?.Context,
                CertificateChainPolicy = Authorities?.ToPolicy(CertificateAuthorities.ServerUsage),
            };
        }

        return parsed;
    }

    /// <summary>Reads settings. The library writes a unix socket as <c>!/path</c>.</summary>
    private static ConfigurationOptions Parse(string configuration) => ConfigurationOptions.Parse(string.Join(',',
        configuration.Split(',', StringSplitOptions.TrimEntries)
            .Select(part => part.StartsWith(Unix, StringComparison.Ordinal) ? $"!{part[(Unix.Length - 1)..]}" : part)));
}
