using System.Globalization;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Substitution;

namespace TrustixProxy.Verbs.Serve;

/// <summary>A configuration of <c>serve</c> read aloud: what is served, when, and what clients get of the rest.</summary>
internal static class PolicySentences
{
    /// <summary>All sentences, the rules first.</summary>
    /// <param name="now">When it is read: exceptions end.</param>
    public static IReadOnlyList<string> Of(SubstituterOptions options, DateTimeOffset now)
    {
        var policy = options.Policy;
        string[] all =
        [
            .. OfReport(policy),
            .. policy.Scopes.Select(scope => OfScope(policy, scope)),
            OfScope(policy, policy.Rest),
            .. OfElectors(options),
            .. policy.Distinct.Select(distinct => OfDistinct(policy, distinct)),
            policy.Electors.IsEmpty ? ""
                : $"Who does not answer within {Lasting(options.Deadline)} is silent; silence never lowers the bar.",
            policy.RequiresClosure ? "Whatever the rules grant, a path is served only if all that it refers to is served, too." : "",
            policy.ServesContentAddressed
                ? "A content-addressed path is served without a vote, once its content is checked against its address."
                : policy.Electors.IsEmpty ? "" : "A content-addressed path needs votes like any other.",
            .. policy.Exceptions.Select(exception => OfException(exception, now)),
            .. OfAnswers(options),
        ];
        return [.. all.Where(sentence => sentence.Length > 0)];
    }

    /// <summary>A list as it is spoken: <c>alice, bob and carol</c>.</summary>
    private static string Spoken(List<string> names) =>
        names.Count < 2 ? string.Concat(names) : $"{string.Join(", ", names.SkipLast(1))} and {names[^1]}";

    private static IEnumerable<string> OfReport(Policy policy) => policy.Fallback is not { } cache ? []
        :
        [
            $"Nothing is enforced (mode report): what the cache {cache} has signed is served with its own signature, whatever the others "
                + "say. The sentences below say what enforcing would do.",
        ];

    private static string OfScope(Policy policy, Scope scope)
    {
        var what = scope.Match is { } glob ? $"A path whose name matches '{glob}'"
            : policy.Scopes.IsEmpty ? "A path" : "Any other path";
        if (!scope.Rule.AllOperators.Any())
        {
            return $"{what} is never served by a vote: nobody votes.";
        }

        var age = scope.MinimumAge == TimeSpan.Zero ? ""
            : $" Logs must have held the votes of that quorum for {Lasting(scope.MinimumAge)}; younger ones count as dissent only.";
        var dissent = scope.Dissent is Dissent.Veto
            ? "An elector that proves another output refuses the path, even if the rule does not count it."
            : "An elector that proves another output is outvoted.";
        return $"{what} is served when {Agreeing(scope.Rule)}.{age} {dissent}";
    }

    private static string Agreeing(Rule rule)
    {
        var members = rule.Operators.Concat(rule.Groups.Select(Group)).ToList();
        return members.Count is 1 && rule.Groups.IsEmpty ? $"{members[0]} claims an output of it"
            : rule.Quorum == members.Count && rule.Groups.IsEmpty
                ? $"{(members.Count is 2 ? "both" : $"all {members.Count}")} operators {Spoken(members)} claim the same output"
            : rule.Groups.IsEmpty ? $"{rule.Quorum} of the {members.Count} operators {Spoken(members)} claim the same output"
            : $"{rule.Quorum} of these {members.Count} claim the same output: {Spoken(members)}";
    }

    private static string Group(Rule group)
    {
        var members = group.Operators.Concat(group.Groups.Select(Group)).ToList();
        return $"({group.Quorum} of {Spoken(members)})";
    }

    private static IEnumerable<string> OfElectors(SubstituterOptions options)
    {
        foreach (var log in options.Logs)
        {
            yield return $"{Named(log.Elector)} is {(log.IsMirrored ? "a mirrored log" : "a log")} at {log.Url}: each claim is proven "
                + $"under its signed head{(log.Elector.RequiresInclusionProof ? "" : ", which need not tie it to the append-only log")}"
                + $"{(log.Elector.Witnesses is null ? "." : ", and the head counts only while enough witnesses have lately seen it.")}";
        }

        foreach (var cache in options.Caches)
        {
            var signers = Spoken([.. cache.Elector.Keys.Select(key => key is NixPublicKey nix ? nix.Name : $"{key}")]);
            yield return $"{Named(cache.Elector)} is a signed cache at {cache.Url}: its claim is what {signers} "
                + $"{(cache.Elector.Keys.Length is 1 ? "has" : "have")} signed.";
        }

        foreach (var proofs in options.Proofs)
        {
            yield return $"{Named(proofs.Elector)} serves proof files at {proofs.Url}: its claim is a witnessed entry of a log.";
        }

        foreach (var shared in options.Policy.Electors.GroupBy(elector => elector.Operator).Where(group => group.Count() > 1))
        {
            yield return $"The operator {shared.Key} has one vote, with {Spoken([.. shared.Select(elector => elector.Name)])} together.";
        }
    }

    private static string Named(Elector elector) =>
        elector.Name == elector.Operator ? elector.Name : $"{elector.Name} (operator {elector.Operator})";

    private static string OfDistinct(Policy policy, DistinctValues distinct)
    {
        var values = policy.Electors.Select(elector => $"{elector.Name} {elector.Tags[distinct.Tag] ?? "none"}").ToList();
        return $"A quorum must also span {distinct}: {Spoken(values)}.";
    }

    private static string OfException(PolicyException exception, DateTimeOffset now)
    {
        var end = exception.Expires.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);
        var accepted = exception.Cache is { } cache ? $"as the cache {cache} has signed it" : $"with the NAR hash {exception.NarHash}";
        return exception.Expires <= now
            ? $"The exception for '{exception.Match}' ended on {end} UTC: its paths are refused again ({exception.Reason})."
            : $"Until {end} UTC, a path whose name matches '{exception.Match}' and that its rule refuses is served {accepted} "
                + $"({exception.Reason}).";
    }

    private static IEnumerable<string> OfAnswers(SubstituterOptions options)
    {
        var client = options.Policy.Store == Store.Guix ? "Guix" : "Nix";
        yield return options.Upstreams.IsEmpty
            ? "No upstream is named, so there is no NAR to serve, whatever is agreed on."
            : $"NARs come from {Spoken([.. options.Upstreams.Select(upstream => upstream.Name)])}. Bytes that do not have the agreed hash "
                + "are withheld.";
        yield return $"A 404 means that the path is not served, and X-Trustix-Decision says why; {client} goes on to its next substituter, "
            + "or builds.";
        yield return options.Answers.OnUndecided is OnUndecided.Unavailable
            ? $"A 503 means that somebody who could have mattered did not answer; {client} tries again, and then fails."
            : "A 503 means that too many ask at once: the client tries again later.";
    }

    private static string Lasting(TimeSpan time)
    {
        string[] parts = [Part(time.Days, "day"), Part(time.Hours, "hour"), Part(time.Minutes, "minute"), time.Seconds is 0
            && time.Milliseconds is 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds % 60:0.###} s")];
        return Spoken([.. parts.Where(part => part.Length > 0)]);
    }

    private static string Part(int count, string unit) => count is 0 ? "" : $"{count} {unit}{(count is 1 ? "" : "s")}";
}
