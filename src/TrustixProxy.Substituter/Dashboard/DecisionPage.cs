using System.Collections.Immutable;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Pages;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Decisions;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Page of the last decision on a path: each elector's answer, its proof, and the outcome.</summary>
internal static class DecisionPage
{
    /// <summary>Returns the page, and whether anything is known about the path.</summary>
    public static (Html Page, bool IsKnown) Of(StorePathDigest digest, ProxyParts parts, DecisionJournal journal)
    {
        var (bundle, entry) = (parts.Decider.FindBundle(digest), journal.Find(digest));
        var decision = bundle is null ? null : Read(bundle, parts.Policy);
        var revocation = parts.Revocations.Standing.Find(digest);
        var notice = revocation is null ? Html.Empty : Html.Of($"<p>{Page.Badge(Outcome.Revoked)} {revocation.Sentence}</p>");
        var main = decision is not null ? Show(digest, decision, bundle!.Length, entry)
            : entry is not null ? Html.Of($"""{Heading(entry.Path.Absolute, entry.Outcome, entry.Sentence, entry.At)}{Votes(entry.Votes)}<p>Its proofs are not stored{(bundle is null ? ": an elector had not answered, or the decision is too old" : ", or cannot be read under this policy")}. <code>trustix-proxy explain {entry.Path.Absolute}</code> asks all electors again.</p>""")
            : Html.Of(
                $"<p>No decision on {digest} is stored. <code>trustix-proxy explain {digest}</code> asks all electors without "
                    + $"deciding.</p>");
        return (Page.Of(decision?.Path.Name ?? entry?.Path.Name ?? digest.ToString(), $"/path/{digest}", Html.Of($"{notice}{main}")),
            decision is not null || entry is not null || revocation is not null);
    }

    /// <summary>Page for a text that is not a store path.</summary>
    public static Html NoPath(string text) => Page.Of("No store path", "/path", Html.Of($"<p><code>{text}</code> is not a store "
        + $"path: DIGEST-NAME with or without the store's directory, or the digest alone, which is 32 characters of nix32.</p>"));

    /// <summary>Re-evaluates the bundle's proofs; null if they do not verify under this policy.</summary>
    private static Shown? Read(byte[] json, Policy policy) =>
        DecisionBundle.TryVerify(json, policy, out var bundle, out var verdict, out _) && verdict is not null
            && StorePath.TryParseAbsolute(bundle.Path, out var path, out _)
            ? new Shown(path, bundle.Outcome, bundle.DecidedAt, verdict)
            : null;

    private static Html Show(StorePathDigest digest, Shown decision, int size, JournalEntry? entry)
    {
        var votes = decision.Verdict.Answers.Select(AnswerText.Of).ToImmutableArray();
        var later = entry is not null && !entry.Votes.SequenceEqual(votes) && entry.Votes.Length > 0
            ? Html.Of($"<h2>Answers after the decision was sent</h2>{Votes(entry.Votes)}") : Html.Empty;
        return Html.Of($"""
            {Heading(decision.Path.Absolute, decision.Outcome, decision.Verdict.Sentence, DateTimeOffset.TryParse(decision.DecidedAt, System.Globalization.CultureInfo.InvariantCulture, out var at) ? at : null)}
            <p>{Page.Badge("proofs hold", "good")} They were verified for this page, from the bundle alone. <a href="/decisions/{digest}" download="{decision.Path.Name}.json">Download the bundle</a> ({size:N0} bytes; <code>trustix-proxy verify</code> checks it anywhere).</p>
            {Votes(votes)}{later}
            """);
    }

    private static Html Heading(string path, Outcome outcome, string sentence, DateTimeOffset? at) =>
        Html.Of($"""<p class="path"><code>{path}</code></p><p class="verdict">{Page.Badge(outcome)} {Page.Time(at)}</p><p class="sentence">{sentence}</p>""");

    /// <summary>Renders the votes side by side: the claims and their supporters.</summary>
    private static Html Votes(ImmutableArray<AnswerText> votes)
    {
        var claims = votes.Select(vote => vote.Claim).OfType<OutputClaim>().Distinct().ToList();
        var diff = claims.Count < 2 ? Html.Empty
            : Html.Of($"<p>In what do they differ? <code>trustix-proxy diff {claims[0].Path.Absolute}</code></p>");
        var letters = claims.Index().ToDictionary(claim => claim.Item, claim => ((char)('A' + (claim.Index % 26))).ToString());
        return Html.Of($"""
            {Page.Table("Proven claims", ["claim", "NAR hash", "bytes", "references", "proven by"], Html.Each(claims, claim => Html.Of(
                $"""<tr><th scope="row">{letters[claim]}</th><td><code>{claim.NarHash}</code></td><td class="number">{claim.NarSize:N0}</td><td class="number">{claim.References.Length}</td><td>{string.Join(", ", votes.Where(vote => vote.Claim == claim).Select(vote => vote.Elector))}</td></tr>""")))}
            {diff}
            {Page.Table("Votes", ["elector", "operator", "claim", "says", "proof", "head"], Html.Each(votes, vote => Html.Of(
                $"""<tr><td>{vote.Elector}</td><td>{vote.Operator}</td><td>{(vote.Claim is null ? "-" : letters[vote.Claim])}</td><td><code>{vote.Says}</code></td><td>{vote.Proof}</td><td class="number">{vote.Head?.ToString("N0", null) ?? "-"}</td></tr>""")))}
            """);
    }

    private sealed record Shown(StorePath Path, Outcome Outcome, string DecidedAt, Verdict Verdict);
}
