using System.Collections.Immutable;
using System.Globalization;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Pages;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Decisions;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Page of the last decision on a path: each elector's answer, its proof, and the outcome.</summary>
internal static class DecisionPage
{
    private const int MostChips = 100;

    /// <summary>Returns the page, and whether anything is known about the path.</summary>
    public static (Html Page, bool IsKnown) Of(StorePathDigest digest, ProxyParts parts, DecisionJournal journal)
    {
        var (bundle, entry) = (parts.Decider.FindBundle(digest), journal.Find(digest));
        var decision = bundle is null ? null : Read(bundle, parts.Policy);
        var revocation = parts.Revocations.Standing.Find(digest);
        var notice = revocation is null ? Html.Empty : Html.Of($"""<p class="notice bad">{Page.Badge(Outcome.Revoked)} {revocation.Sentence}</p>""");
        var main = decision is not null ? Show(digest, decision, bundle!.Length, entry)
            : entry is not null ? Html.Of($"""{Heading(entry.Path.Absolute, entry.Outcome, entry.At)}{Votes(entry.Votes, entry.Granted, entry.Late, entry.Sentence, Html.Of($"""<p class="note">Its proofs are not stored{(bundle is null ? ": an elector had not answered, or the decision is too old" : ", or cannot be read under this policy")}. <code>trustix-proxy explain {entry.Path.Absolute}</code> asks all electors again.</p>"""))}""")
            : Html.Of($"""<p class="empty">No decision on {digest} is stored. <code>trustix-proxy explain {digest}</code> asks all electors without deciding.</p>""");
        var name = decision?.Path.ToString() ?? entry?.Path.ToString();
        var refused = parts.RefusedNars.List().Where(nar => nar.Path == name).ToList();
        var wrong = refused.Count is 0 ? Html.Empty : Page.Section("NARs that are not what was agreed on", RefusedNarTable.Of(refused));
        var closure = decision is null && entry is null ? Html.Empty
            : Html.Of($"""<p><a href="/closure/{digest}">Its closure as a tree, coloured by verdict</a></p>""");
        var title = decision?.Path.Name ?? entry?.Path.Name ?? digest.ToString();
        return (Page.Of(title, $"/path/{digest}", Html.Of($"{notice}{main}{wrong}{closure}")),
            decision is not null || entry is not null || revocation is not null);
    }

    /// <summary>Re-evaluates the bundle's proofs; null if they do not verify under this policy.</summary>
    private static Shown? Read(byte[] json, Policy policy) =>
        DecisionBundle.TryVerify(json, policy, out var bundle, out var verdict, out _) && verdict is not null
            && StorePath.TryParseAbsolute(bundle.Path, out var path, out _)
            ? new Shown(path, bundle.Outcome, bundle.DecidedAt, verdict)
            : null;

    private static Html Show(StorePathDigest digest, Shown decision, int size, JournalEntry? entry)
    {
        var votes = decision.Verdict.Answers.Select(AnswerText.Of).ToImmutableArray();
        var (all, late) = Join(votes, entry);
        return Html.Of($"""
            {Heading(decision.Path.Absolute, decision.Outcome, DateTimeOffset.TryParse(decision.DecidedAt, CultureInfo.InvariantCulture, out var at) ? at : null)}
            {Votes(all, decision.Verdict.Granted, late, decision.Verdict.Sentence, Html.Of($"""<p>{Page.Badge("proofs hold", "good")} They were verified for this page, from the bundle alone. <a href="/decisions/{digest}" download="{decision.Path.Name}.json">Download the bundle</a> ({Figures.Of(size)}; <code>trustix-proxy verify</code> checks it anywhere).</p>"""))}
            """);
    }

    /// <summary>Fills in who had not been heard when the decision left, from what was heard after it.</summary>
    private static (ImmutableArray<AnswerText> Votes, ImmutableArray<string> Late) Join(
        ImmutableArray<AnswerText> votes, JournalEntry? entry)
    {
        var later = (entry?.Votes ?? []).Where(vote => vote.Kind is not VoteKind.NotHeard).ToDictionary(vote => vote.Elector);
        var late = votes.Where(vote => vote.Kind is VoteKind.NotHeard && later.ContainsKey(vote.Elector)).Select(vote => vote.Elector);
        ImmutableArray<string> names = [.. late];
        return ([.. votes.Select(vote => names.Contains(vote.Elector) ? later[vote.Elector] : vote)],
            names.IsEmpty ? entry?.Late ?? [] : names);
    }

    private static Html Heading(string path, Outcome outcome, DateTimeOffset? at) =>
        Html.Of($"""<p class="path"><code>{path}</code></p><p class="status-line">{Page.Badge(outcome)} <span class="note">decided {Markup.Time(at)}</span></p>""");

    /// <summary>Renders the votes side by side, the claims with their supporters, and the proofs.</summary>
    private static Html Votes(
        ImmutableArray<AnswerText> votes, OutputClaim? granted, ImmutableArray<string> late, string sentence, Html proofs)
    {
        var letters = VoteChips.Letters(votes);
        var diff = letters.Count < 2 ? Html.Empty
            : Html.Of($"<p>In what do they differ? <code>trustix-proxy diff {letters.Keys.First().Path.Absolute}</code></p>");
        return Html.Of($"""
            {(votes.IsEmpty ? Html.Empty : Page.Section("Votes", VoteChips.Of(votes, granted, late, MostChips)))}
            {(letters.Count is 0 ? Html.Empty : Page.Section(letters.Count is 1 ? "The claim" : "The claims", Html.Of($"""<ul class="cards claims">{Html.Each(letters, claim => Claim(claim.Key, claim.Value, granted, votes))}</ul>{diff}""")))}
            {(votes.IsEmpty ? proofs : Page.Section("Proofs", Html.Of($"""{proofs}{Markup.Table("Proofs by elector", ["elector", "operator", "claim", "says", "proof", "head"], Html.Each(votes, vote => Row(vote, letters)))}""")))}
            <section><h2>In one line</h2><p class="sentence">{sentence}</p></section>
            """);
    }

    private static Html Claim(OutputClaim claim, string letter, OutputClaim? granted, ImmutableArray<AnswerText> votes) => Html.Of($"""
        <li class="card {(claim == granted ? "good" : granted is null ? "" : "bad")}"><h3>Claim {letter} {(claim == granted ? Page.Badge("served", "good") : Html.Empty)}</h3>
        <p><code>{claim.NarHash}</code></p><dl class="facts"><div><dt>size</dt><dd>{claim.NarSize:N0} bytes</dd></div><div><dt>references</dt><dd>{claim.References.Length:N0}</dd></div><div><dt>proven by</dt><dd>{string.Join(", ", votes.Where(vote => vote.Claim == claim).Select(vote => vote.Elector))}</dd></div></dl></li>

        """);

    private static Html Row(AnswerText vote, IReadOnlyDictionary<OutputClaim, string> letters) => Html.Of(
        $"""<tr><td>{Page.Elector(vote.Elector)}</td><td>{vote.Operator}</td><td>{(vote.Claim is null ? "-" : letters[vote.Claim])}</td><td><code>{vote.Says}</code></td><td>{vote.Proof}</td><td class="number">{vote.Head?.ToString("N0", CultureInfo.InvariantCulture) ?? "-"}</td></tr>""");

    private sealed record Shown(StorePath Path, Outcome Outcome, string DecidedAt, Verdict Verdict);
}
