using System.Collections.Immutable;
using System.Globalization;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Configuration;

/// <summary>The <c>policy</c> of a configuration of <c>serve</c>, with <c>mode</c> and <c>fallback</c>.</summary>
internal static class PolicyConfiguration
{
    private static readonly string[] RuleKeys = ["rule", "quorum", "percent"];

    private static readonly TimeSpan MaxAge = TimeSpan.FromDays(90);

    private enum Mode
    {
        Enforce,
        Report,
    }

    /// <summary>Reads it; null when the electorate itself is at fault.</summary>
    /// <param name="electors">Logs and signed caches.</param>
    /// <param name="ours">Our own keys, now and before, which must not vote.</param>
    /// <param name="store">The store whose paths are decided on.</param>
    public static Policy? Read(Section section, ImmutableArray<Elector> electors, IEnumerable<CacheKey> ours, Store store)
    {
        var policy = section.Object("policy");
        string[] operators = [.. electors.Select(elector => elector.Operator).Distinct()];
        var dissent = policy.Choice("dissent", Dissent.Outvoted);
        var rule = ReadRule(policy, electors) ?? new Rule(Rule.Majority(operators.Length), operators);
        var rest = new Scope(null, rule, dissent) { MinimumAge = ReadAge(policy, rule, electors, TimeSpan.Zero) };
        var scopes = policy.List("scopes").Select(scope => ReadScope(scope, electors, rest)).ToImmutableArray();
        var exceptions = policy.List("exceptions").Select(exception => ReadException(exception, electors)).OfType<PolicyException>()
            .ToImmutableArray();
        var (isContentAddressed, isClosure) = (policy.Flag("contentAddressed") ?? true, policy.Flag("closure") ?? false);
        var (fallback, distinct) = (ReadFallback(section, electors), ReadDistinct(policy, electors));
        return CheckKeys(section, electors, ours) && electors.DistinctBy(elector => elector.Name).Count() == electors.Length
            ? new Policy(electors, rule, dissent)
            {
                Store = store,
                MinimumAge = rest.MinimumAge,
                Scopes = scopes,
                Exceptions = exceptions,
                Distinct = distinct,
                ServesContentAddressed = isContentAddressed,
                RequiresClosure = isClosure,
                Fallback = fallback
            }
            : null;
    }

    /// <summary>What is allowed but weaker than it may look.</summary>
    public static IEnumerable<string> Warnings(Scope scope)
    {
        var (rule, where) = (scope.Rule, scope.Match is null ? "policy" : $"policy.scopes '{scope.Match}'");
        if (rule.Groups.IsEmpty && rule.Members > 1 && rule.Quorum * 2 <= rule.Members)
        {
            yield return $"{where}.quorum: {rule} is at most half: an attacker who can silence the others decides alone. A majority is "
                + $"{Rule.Majority(rule.Members)}.";
        }
        else if (rule.CanSplit)
        {
            yield return $"{where}.rule: {rule} can be met by two disjoint sets of operators: an attacker who can silence one set "
                + $"decides with the other.";
        }

        if (scope.Dissent is Dissent.Veto)
        {
            yield return $"{where}.dissent: under \"veto\" one dissent refuses, but only if it arrives: an attacker who can "
                + $"silence that elector lifts the veto.";
        }
    }

    /// <summary>The rule of a section: <c>rule</c>, <c>quorum</c> or <c>percent</c>; null when it names none, or a faulty one.</summary>
    public static Rule? ReadRule(Section section, ImmutableArray<Elector> electors)
    {
        string[] operators = [.. electors.Select(elector => elector.Operator).Distinct()];
        string[] named = [.. RuleKeys.Where(section.Has)];
        if (named.Length > 1)
        {
            section.Fault(named[1], $"is set together with '{named[0]}'; a policy has one of rule, quorum and percent.");
        }

        var quorum = section.Integer("quorum", 0, 1, int.MaxValue);
        if (quorum > Math.Max(1, operators.Length))
        {
            section.Fault("quorum", $"is {quorum}; it must be from 1 to {operators.Length}, the number of operators of the electors.");
            return null;
        }

        var percent = ReadPercent(section);
        return section.Has("rule") ? ReadGroup(section.Object("rule"), electors, [])
            : quorum > 0 ? new Rule(quorum, operators)
            : percent is { } part ? new Rule(Math.Max(1, Rule.Percent(part, operators.Length)), operators)
            : null;
    }

    /// <summary>The values that a quorum must span, by tag.</summary>
    public static ImmutableArray<DistinctValues> ReadDistinct(Section policy, ImmutableArray<Elector> electors)
    {
        var demands = new List<DistinctValues>();
        foreach (var (tag, text) in policy.Map("distinct", "{\"country\": 2}"))
        {
            if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) || count is 0)
            {
                policy.Fault("distinct", $"demands '{text}' values of '{tag}'; it must be a whole number from 1.");
                continue;
            }

            var demand = new DistinctValues(tag, count);
            demands.Add(demand);
            if (demand.CountOf(electors) is var known && known < count)
            {
                policy.Fault("distinct", $"demands {demand}, but the operators have {known}, so nothing would be served. Set "
                    + $"\"tags\": {{\"{tag}\": \"…\"}} on logs, caches and proofs, or demand fewer.");
            }
        }

        return [.. demands.OrderBy(demand => demand.Tag, StringComparer.Ordinal)];
    }

    private static decimal? ReadPercent(Section section)
    {
        if (section.Text("percent") is not { } text)
        {
            return null;
        }

        if (decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var percent)
            && percent is > 0 and <= 100)
        {
            return percent;
        }

        section.Fault(
            "percent", $"is '{text}'; it must be above 0 and at most 100: a percentage of the declared electorate, rounded up.");
        return null;
    }

    /// <summary>A group of the rule; each operator stands in it once, wherever that is.</summary>
    private static Rule? ReadGroup(Section section, ImmutableArray<Elector> electors, HashSet<string> seen)
    {
        var (operators, groups, isGood) = (ImmutableArray.CreateBuilder<string>(), ImmutableArray.CreateBuilder<Rule>(), true);
        foreach (var (text, group) in section.Members("of"))
        {
            if (group is not null)
            {
                var inner = ReadGroup(group, electors, seen);
                isGood &= inner is not null;
                groups.Add(inner ?? new Rule(1, []));
            }
            else
            {
                var fault = FaultOf(text!, electors, seen);
                isGood &= fault is null;
                operators.Add(text!);
                if (fault is not null)
                {
                    section.Fault("of", fault);
                }
            }
        }

        var members = operators.Count + groups.Count;
        if (members is 0)
        {
            section.Fault("of", "is missing or empty; it must be a list of operators and groups: [\"alice\", {\"quorum\": 1, \"of\": "
                + "[\"bob\", \"carol\"]}].");
        }

        if (!section.Has("quorum"))
        {
            section.Fault("quorum", "is missing; a group says how many of its members must agree.");
        }

        var quorum = section.Integer("quorum", 1, 1, Math.Max(1, members));
        return isGood && members > 0 ? new Rule(quorum, operators.ToImmutable(), groups.ToImmutable()) : null;
    }

    private static string? FaultOf(string name, ImmutableArray<Elector> electors, HashSet<string> seen)
    {
        var elector = electors.FirstOrDefault(elector => elector.Name == name);
        return electors.All(candidate => candidate.Operator != name)
            ? $"has '{name}', which is "
                + $"{(elector is null ? "no operator" : $"an elector of the operator '{elector.Operator}': name that")}. Known: "
                + $"{string.Join(", ", electors.Select(candidate => candidate.Operator).Distinct())}."
            : !seen.Add(name) ? $"has '{name}' twice; an operator has one vote in a rule." : null;
    }

    private static Scope ReadScope(Section section, ImmutableArray<Elector> electors, Scope rest)
    {
        var match = ReadMatch(section);
        var rule = ReadRule(section, electors) ?? rest.Rule;
        return new Scope(match, rule, section.Choice("dissent", rest.Dissent))
        {
            MinimumAge = ReadAge(section, rule, electors, rest.MinimumAge),
        };
    }

    /// <summary>The age that votes of a quorum must have. Only logs can show one.</summary>
    private static TimeSpan ReadAge(Section section, Rule rule, ImmutableArray<Elector> electors, TimeSpan fallback)
    {
        var age = section.Time("minimumAge", fallback, TimeSpan.Zero, MaxAge);
        var withLogs = electors.OfType<Elector.Log>().Select(log => log.Operator).ToHashSet();
        if (age > TimeSpan.Zero && !rule.IsMetBy(withLogs))
        {
            section.Fault("minimumAge", $"is '{age:c}', but the rule {rule} cannot be met by operators with a log "
                + $"({(withLogs.Count is 0 ? "none" : string.Join(", ", withLogs.Order(StringComparer.Ordinal)))}): signed caches and "
                + "proof files show no age, so nothing would be served. Add logs, or set minimumAge to 00:00:00.");
        }

        return age;
    }

    private static string ReadMatch(Section section)
    {
        var match = section.Required("match", "\"linux-*\"");
        if (match.Length > 0 && !NameGlob.IsGlob(match))
        {
            section.Fault("match", $"is '{match}'; it must be a pattern of store path names (the text after the digest) with * and ?.");
        }

        return match;
    }

    private static PolicyException? ReadException(Section section, ImmutableArray<Elector> electors)
    {
        const string cachePrefix = "cache:";
        var (match, accept, reason) = (ReadMatch(section), section.Required("accept", "\"cache:cache.nixos.org\""),
            section.Required("reason", "\"has a build date inside\""));
        var expires = ReadExpiry(section);
        var cache = accept.StartsWith(cachePrefix, StringComparison.Ordinal) ? accept[cachePrefix.Length..] : null;
        var isHash = NixHash.TryParse(accept, out var hash, out _) && hash.Algorithm is NixHashAlgorithm.Sha256;
        if (cache is not null && electors.All(elector => elector is not Elector.Cache || elector.Name != cache))
        {
            section.Fault("accept", $"is '{accept}', but 'caches' has no cache of that name.");
        }
        else if (cache is null && !isHash && accept.Length > 0)
        {
            section.Fault("accept",
                $"is '{accept}'; it must be \"cache:NAME\" with a name in 'caches', or the NAR hash that is accepted: \"sha256:…\".");
        }

        return expires is { } until ? new PolicyException(match, cache, isHash ? hash : null, reason, until) : null;
    }

    public static DateTimeOffset? ReadExpiry(Section section)
    {
        string[] forms = ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm:ss'Z'"];
        var text = section.Required("expires", "\"2027-01-31\"");
        if (DateTimeOffset.TryParseExact(text, forms, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var expires))
        {
            return expires;
        }

        if (text.Length > 0)
        {
            section.Fault("expires", $"is '{text}'; it must be a day or a time in UTC: 2027-01-31 or 2027-01-31T12:00:00Z.");
        }

        return null;
    }

    private static string? ReadFallback(Section section, ImmutableArray<Elector> electors)
    {
        var mode = section.Choice("mode", Mode.Enforce);
        var fallback = section.Text("fallback");
        if (fallback is not null && electors.All(elector => elector is not Elector.Cache || elector.Name != fallback))
        {
            section.Fault("fallback", $"is '{fallback}', but 'caches' has no cache of that name.");
        }

        if (mode is Mode.Report && fallback is null)
        {
            section.Fault("fallback", "is missing; in report mode it names the cache in 'caches' whose signed paths are served.");
        }

        return mode is Mode.Report ? fallback : null;
    }

    /// <summary>The key of the list that declares an elector.</summary>
    private static string ListOf(Elector elector) => elector switch
    {
        Elector.Log => "logs",
        Elector.Cache => "caches",
        _ => "proofs",
    };

    /// <summary>Whether no key votes twice, and none of them is ours.</summary>
    private static bool CheckKeys(Section section, ImmutableArray<Elector> electors, IEnumerable<CacheKey> ours)
    {
        var reported = electors.OfType<Elector.Log>().Where(log => ReferenceEquals(log.Key, CommonKeys.UnreadKey)).ToList();
        var isGood = reported.Count is 0;
        var own = ours.Select(key => Convert.ToBase64String(key.Bytes)).ToHashSet();
        var keys = electors.Except(reported)
            .SelectMany(elector => elector.KeyBytes.Select(key => (Key: Convert.ToBase64String(key), Elector: elector))).ToList();
        foreach (var group in keys.GroupBy(key => key.Key))
        {
            var voters = group.Select(item => item.Elector).Distinct().ToList();
            if (voters.Count > 1)
            {
                var names = string.Join(" and ", voters.Select(elector => $"'{elector.Name}'"));
                var what = voters[^1] is Elector.ProofFiles { Submitters.IsEmpty: true } ? "one log's key" : "one publicKey";
                section.Fault(ListOf(voters[^1]), $"has {what} for {names}; one key would vote twice. Keep one of them.");
                isGood = false;
            }

            if (own.Contains(group.Key))
            {
                section.Fault(ListOf(voters[0]), $"has this proxy's own signing key for "
                    + $"'{voters[0].Name}', so its own signatures would vote. Give the builder's key.");
            }
        }

        return isGood;
    }
}
