using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Substitution;

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
            .. OperationsConfiguration.Warnings(options.OperationsListen, options.WantedReaders is not null),
            .. OfEmptyLists(options),
            .. OfGuix(options),
            .. options.Upstreams.SelectMany(UpstreamConfiguration.Warnings),
            .. OfPolicy(options.Policy),
            .. OfKeys(options, configuration.IsKeyMissing),
            .. OfLogs(options),
            .. OfKnownKeys(options),
            .. options.Caches.SelectMany(cache => TlsKeys.Warnings($"caches: '{cache.Elector.Name}'", cache.Tls)),
            .. options.Proofs.SelectMany(proofs => TlsKeys.Warnings($"proofs: '{proofs.Elector.Name}'", proofs.Tls)),
            .. options.Proofs.SelectMany(proofs => WitnessPolicyFile.Warnings(
                $"proofs '{proofs.Elector.Name}'.policyFile", proofs.Elector.Witnesses, !proofs.Elector.Submitters.IsEmpty)),
        ];
    }

    private static IEnumerable<string> OfKeyFile(string file)
    {
        if (KeyFile.IsReadByOthers(file))
        {
            yield return $"signingKeyFile: '{file}' can be read by other users, who can then sign anything for your clients: "
                + $"chmod 600 it, and create a new key if those users are not trusted.";
        }
    }

    private static IEnumerable<string> OfGuix(SubstituterOptions options)
    {
        if (options.Policy.Store == Store.Guix && options.Answers.OnUndecided is OnUndecided.Unavailable)
        {
            yield return "onUndecided: \"unavailable\" makes no Guix client wait: it takes 503 as a miss for a minute, and builds.";
        }

        if (options.Policy.Store == Store.Guix && options.FrontDoor.IsClosed)
        {
            yield return "clients: Guix sends no credentials for narinfos, and no certificates, so no Guix client gets in. Restrict "
                + "addresses instead.";
        }
    }

    private static IEnumerable<string> OfEmptyLists(SubstituterOptions options)
    {
        if (options.Policy.Electors.IsEmpty)
        {
            yield return $"logs: is empty, and so is caches, so {(options.Policy.ServesContentAddressed
                ? "only content-addressed paths are served" : "every path is refused")}. For more, name at least three, run by different "
                + "operators.";
        }

        if (options.Upstreams.Length is 0)
        {
            yield return "upstreams: is empty, so there is no NAR to serve. Name a binary cache, for example {\"name\": \"nixos\", "
                + "\"url\": \"https://cache.nixos.org\"}.";
        }
    }

    /// <summary>A letter that was typed wrong makes another key, which looks as good.</summary>
    private static IEnumerable<string> OfKnownKeys(SubstituterOptions options)
    {
        foreach (var cache in options.Caches)
        {
            foreach (var key in cache.Elector.Keys.OfType<NixPublicKey>()
                .Where(key => key.Name is "cache.nixos.org-1" && key.ToString() is not CommonKeys.CacheNixosOrg))
            {
                yield return $"caches: '{cache.Elector.Name}'.publicKeys has '{key}', which is not the key that cache.nixos.org has had "
                    + $"ever since, {CommonKeys.CacheNixosOrg}: correct it, or nothing that the cache signs counts.";
            }
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
            yield return $"policy.exceptions: {expired} has expired: its paths are refused again. Remove it, or renew it until "
                + $"when.";
        }

        if (policy.Fallback is not null)
        {
            yield return $"mode: \"report\" enforces nothing: everything signed by '{policy.Fallback}' is served, and only recorded when "
                + $"others disagree.";
        }
    }

    private static IEnumerable<string> OfKeys(SubstituterOptions options, bool isKeyMissing)
    {
        if (options.Redis is not null && isKeyMissing)
        {
            yield return "redis: the signing key is created now, but replicas accept only records sealed with the same key. Give "
                + "them all the "
                + "same signingKeyFile.";
        }

        if (options.PreviousSigningKeys.Any(previous => previous.PublicKey == options.SigningKey.PublicKey))
        {
            yield return "previousSigningKeyFiles: names the current signing key, which has no effect.";
        }
    }

    private static IEnumerable<string> OfLogs(SubstituterOptions options)
    {
        foreach (var log in options.Logs.Where(log => !log.Elector.RequiresInclusionProof))
        {
            yield return $"logs: '{log.Elector.Name}' need not tie its map to its append-only log (inclusionProof: optional): a "
                + $"wrong answer given only to this proxy would leave no trace in the log.";
        }

        foreach (var warning in options.Logs.SelectMany(log => log.Elector.Witnesses is { } demand
            ? WitnessPolicyFile.Warnings($"logs '{log.Elector.Name}'.witnesses", demand.Policy) : []))
        {
            yield return warning;
        }

        foreach (var warning in options.Logs.SelectMany(log => TlsKeys.Warnings($"logs: '{log.Elector.Name}'", log.Tls)))
        {
            yield return warning;
        }
    }
}
