using TrustixProxy.IO.Redis;

namespace TrustixProxy.Configuration;

/// <summary>Section <c>redis</c> of <c>serve</c>: what replicas share.</summary>
internal static class RedisConfiguration
{
    /// <summary>Reads it; null when there is none.</summary>
    public static RedisOptions? Read(Section section)
    {
        var redis = section.Object("redis");
        if (!section.Has("redis"))
        {
            return null;
        }

        var configuration = redis.Required("configuration", "localhost:6379");
        var fault = configuration.Length > 0 ? RedisOptions.FaultOf(configuration) : null;
        if (fault is not null)
        {
            redis.Fault("configuration", fault);
        }

        var options = new RedisOptions(configuration);
        var prefix = redis.Text("keyPrefix", options.KeyPrefix)!;
        if (prefix.Any(letter => letter is <= ' ' or > '~'))
        {
            redis.Fault("keyPrefix", $"is '{prefix}'; it must be printable ASCII without spaces, for example \"{options.KeyPrefix}\".");
        }

        var password = redis.Text("passwordFile") is { } path ? KeyFile.ReadSecret(redis, "passwordFile", path) : null;
        var isReadable = configuration.Length > 0 && fault is null;
        var (certificate, authorities) = TlsKeys.ReadFiles(
            redis, isReadable && !options.UsesTls ? "redis.configuration does not say ssl=true: add that" : null);
        return options with { Password = password, KeyPrefix = prefix, Certificate = certificate, Authorities = authorities };
    }
}
