using TrustixProxy.Consensus;
using TrustixProxy.Substituter.Composition;

namespace TrustixProxy.Configuration;

/// <summary>Lists what a configuration of <c>serve</c> allows although it is weaker than it may look.</summary>
internal static class ServeWarnings
{
    /// <summary>All warnings, in the order in which they are shown.</summary>
    public static IEnumerable<string> Of(ServeConfiguration configuration)
    {
        var options = configuration.Options;
        return
        [
            .. OfKeyFile(configuration.KeyFile),
            .. ClientConfiguration.Warnings(options.FrontDoor),
            .. OfEmptyLists(options),
            .. options.Upstreams.SelectMany(UpstreamConfiguration.Warnings),
            .. OfPolicy(options.Policy),
            .. OfKeys(options, configuration.IsKeyMissing),
            .. OfLogs(options),
        ];
    }

    private static IEnumerable<string> OfKeyFile(string file)
    {
        if (KeyFile.IsReadByOthers(file))
        {
            yield return $"signingKeyFile: '{file}' may be read by others than its owner, and whoever has read it can sign anything for "
                + $"your clients: chmod 600 it, and if they are not trusted make a new key.";
        }
    }

    private static IEnumerable<string> OfEmptyLists(SubstituterOptions options)
    {
        if (options.Policy.Electors.IsEmpty)
        {
            yield return "logs: none is named, and no caches, so nothing is ever agreed on and every path is refused. Name at least three, "
                + "run by different operators.";
        }

        if (options.Upstreams.Length is 0)
        {
            yield return "upstreams: none is named, so there is no NAR to serve. Name a binary cache, for example {\"name\": \"nixos\", "
                + "\"url\": \"https://cache.nixos.org\"}.";
        }
    }

    private static IEnumerable<string> OfPolicy(Policy policy)
    {
        foreach (var warning in policy.Scopes.Append(policy.Rest).SelectMany(PolicyConfiguration.Warnings))
        {
            yield return warning;
        }

        foreach (var expired in policy.Exceptions.Where(exception => exception.Expires <= TimeProvider.System.GetUtcNow()))
        {
            yield return $"policy.exceptions: {expired} has expired: what it matches is refused again. Take it out, or say anew until "
                + $"when.";
        }

        if (policy.Fallback is not null)
        {
            yield return $"mode: \"report\" enforces nothing: whatever '{policy.Fallback}' has signed is served, and only recorded when "
                + $"others disagree.";
        }
    }

    private static IEnumerable<string> OfKeys(SubstituterOptions options, bool isKeyMissing)
    {
        if (options.Redis is not null && isKeyMissing)
        {
            yield return "redis: the signing key is made here and now, and replicas believe only what bears one key. Give them all the "
                + "same signingKeyFile.";
        }

        if (options.PreviousSigningKeys.Any(previous => previous.PublicKey == options.SigningKey.PublicKey))
        {
            yield return "previousSigningKeyFiles: names the signing key itself, which does nothing.";
        }
    }

    private static IEnumerable<string> OfLogs(SubstituterOptions options)
    {
        foreach (var log in options.Logs.Where(log => !log.Elector.RequiresInclusionProof))
        {
            yield return $"logs: '{log.Elector.Name}' need not tie its map to its append-only log (inclusionProof: optional): a wrong "
                + $"answer to us alone would leave no trace in the log.";
        }
    }
}
