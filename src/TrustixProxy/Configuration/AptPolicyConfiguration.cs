using System.Collections.Immutable;
using TrustixProxy.Apt;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Configuration;

/// <summary>The <c>policy</c> of a configuration of <c>apt serve</c>, with <c>mode</c>: the rules of <c>serve</c>, by names of binary
/// packages.</summary>
internal static class AptPolicyConfiguration
{
    private const string Archive = "archive", FilePrefix = "sha256:", RebuilderPrefix = "rebuilder:";

    private enum Mode
    {
        Enforce,
        Report,
    }

    /// <summary>Reads it; null when the electorate itself is at fault.</summary>
    public static Policy? Read(Section section, ImmutableArray<Apt.Rebuilder> rebuilders)
    {
        var policy = section.Object("policy");
        ImmutableArray<Elector> electors = [.. rebuilders];
        string[] operators = [.. electors.Select(elector => elector.Operator).Distinct()];
        var dissent = policy.Choice("dissent", Dissent.Outvoted);
        var rule = PolicyConfiguration.ReadRule(policy, electors) ?? new Rule(Rule.Majority(operators.Length), operators);
        var scopes = policy.List("scopes").Select(scope => ReadScope(scope, electors, rule, dissent)).ToImmutableArray();
        var exceptions = policy.List("exceptions").Select(exception => ReadException(exception, rebuilders)).OfType<PolicyException>()
            .ToImmutableArray();
        var distinct = PolicyConfiguration.ReadDistinct(policy, electors);
        var mode = section.Choice("mode", Mode.Enforce);
        var isSound = electors.DistinctBy(elector => elector.Name).Count() == electors.Length
            && rebuilders.DistinctBy(rebuilder => rebuilder.Key.ToString()).Count() == electors.Length;
        return !isSound ? null : new Policy(electors, rule, dissent)
        {
            Scopes = scopes,
            Exceptions = exceptions,
            Distinct = distinct,
            ServesContentAddressed = false,
            Fallback = mode is Mode.Report ? Archive : null,
        };
    }

    private static Scope ReadScope(Section section, ImmutableArray<Elector> electors, Rule rest, Dissent dissent)
    {
        var match = ReadMatch(section);
        return new Scope(match, PolicyConfiguration.ReadRule(section, electors) ?? rest, section.Choice("dissent", dissent));
    }

    private static string ReadMatch(Section section)
    {
        var match = section.Required("match", "\"linux-image-*\"");
        if (match.Length > 0 && !NameGlob.IsGlob(match))
        {
            section.Fault("match", $"is '{match}'; it must be a pattern of binary packages' names with * and ?: \"linux-image-*\".");
        }

        return match;
    }

    private static PolicyException? ReadException(Section section, ImmutableArray<Apt.Rebuilder> rebuilders)
    {
        var (match, accept, reason) = (ReadMatch(section), section.Required("accept", "\"archive\""),
            section.Required("reason", "\"has a build date inside\""));
        var expires = PolicyConfiguration.ReadExpiry(section);
        Func<string, string, DateTimeOffset, PolicyException>? make = null;
        if (accept is Archive)
        {
            make = PolicyException.OfArchive;
        }
        else if (accept.StartsWith(RebuilderPrefix, StringComparison.Ordinal))
        {
            var name = accept[RebuilderPrefix.Length..];
            make = (match, reason, expires) => PolicyException.OfRebuilder(match, name, reason, expires);
            if (rebuilders.All(rebuilder => rebuilder.Name != name))
            {
                section.Fault("accept", $"is '{accept}', but 'rebuilders' has none of that name.");
            }
        }
        else if (TryReadDigest(accept, out var sha256))
        {
            make = (match, reason, expires) => PolicyException.OfFile(match, sha256, reason, expires);
        }
        else if (accept.Length > 0)
        {
            section.Fault("accept", $"is '{accept}'; it must be \"archive\" for the file that the archive has, \"rebuilder:NAME\" with a "
                + "name in 'rebuilders', or the SHA-256 of the one file that is accepted: \"sha256:…\" with 64 digits of lower case.");
        }

        return make is not null && expires is { } until ? make(match, reason, until) : null;
    }

    private static bool TryReadDigest(string text, out Digest sha256)
    {
        var hex = text.StartsWith(FilePrefix, StringComparison.Ordinal) ? text[FilePrefix.Length..] : "";
        var isOne = hex.Length is Digest.Size * 2 && hex.All(char.IsAsciiHexDigitLower);
        sha256 = isOne ? new Digest(Convert.FromHexString(hex)) : default;
        return isOne;
    }
}
