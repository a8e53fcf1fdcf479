using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Inspection;

/// <summary>What would let a refused path be served.</summary>
/// <param name="Kind">One of <c>vote</c>, <c>deadline</c>, <c>elector</c>, <c>exception</c>, <c>upstream</c>, <c>revocation</c>.</param>
/// <param name="Text">What to do, in one line.</param>
public sealed record Remedy(string Kind, string Text)
{
    private const int MaxSides = 2;

    /// <summary>Returns what would help with a refused path, the surest first.</summary>
    /// <param name="finding">The refused path.</param>
    /// <param name="policy">The policy that refuses it.</param>
    /// <param name="deadline">How long electors are given.</param>
    public static IReadOnlyList<Remedy> Of(Finding finding, Policy policy, TimeSpan deadline) => finding switch
    {
        { Outcome: Outcome.Revoked } =>
            [new("revocation", "an operator revoked it; a person who trusts it again runs `trustix-proxy revoke --undo`")],
        { Outcome: Outcome.NoUpstream } =>
            [new("upstream", "add the cache of an elector that proves it to `upstreams`")],
        { Outcome: Outcome.Conflict } when !Cause.IsSplit(finding) =>
            [new("elector", "electors know its digest by another name: `trustix-proxy explain DIGEST` shows who")],
        { IsUncertain: true, Verdict: { } verdict } =>
            [.. Silences(verdict, deadline), Vote(finding, policy, verdict), .. Exceptions(finding, policy, verdict)],
        { Verdict: { } verdict } =>
            [Vote(finding, policy, verdict), .. Silences(verdict, deadline), .. Exceptions(finding, policy, verdict)],
        _ => [new("elector", "no elector could be asked: see `trustix-proxy logs` and the upstreams")],
    };

    private static Remedy Vote(Finding finding, Policy policy, Verdict verdict)
    {
        var claims = Claims(verdict).ToList();
        var deciding = verdict.Answers.Where(answer => claims.Any(claim => IsDecidedBy(answer, claim, finding, policy, verdict))).ToList();
        var names = string.Join(" or ", deciding.Select(Now));
        var rest = verdict.Answers.Where(answer => answer.Ballot is not Ballot.Claimed);
        return new Remedy("vote", (claims.Count, deciding.Count) switch
        {
            ( > 1, > 0) => $"a vote of {names} would break the tie; `trustix-proxy diff` shows what differs",
            ( > 1, _) => "no further vote decides between the outputs; `trustix-proxy diff` shows what differs",
            (1, > 0) => $"a vote of {names} would decide it",
            (1, _) => $"{verdict.Rule} must agree, and no single vote completes that: ask {string.Join(", ", rest.Select(Now))}",
            _ => $"{verdict.Rule} must agree, and nobody proves an output yet: have electors build and publish it",
        });
    }

    private static bool IsDecidedBy(Answer answer, Ballot.Claimed vote, Finding finding, Policy policy, Verdict verdict) =>
        answer.Ballot is not Ballot.Claimed && policy.Decide(finding.Path, verdict.Answers.ToDictionary(
            other => other.Elector.Name, other => other == answer ? vote : other.Ballot)).Granted is not null;

    private static IEnumerable<Remedy> Silences(Verdict verdict, TimeSpan deadline) => verdict.Answers
        .GroupBy(answer => (answer.Ballot as Ballot.Silent)?.Reason, answer => answer.Elector.Name)
        .Select(group => (group.Key, string.Join(", ", group)) switch
        {
            (SilenceReason.NoAnswer, var names) => new Remedy(
                "deadline", $"{names} did not answer in time: ask again, or raise `deadline` (now {deadline.TotalSeconds:0.###} s)"),
            (SilenceReason.Unreachable or SilenceReason.BreakerOpen, var names) => new Remedy(
                "elector", $"{names} could not be reached: ask again when it answers"),
            (SilenceReason.Tls, var names) => new Remedy("elector",
                $"TLS with {names} failed: set caFile to trust its certificate, or clientCertificateFile to show it ours"),
            (SilenceReason.Frozen, var names) => new Remedy(
                "elector", $"the votes of {names} do not count while it is frozen: `trustix-proxy logs` says why"),
            (SilenceReason.Unwitnessed, var names) => new Remedy(
                "elector", $"the votes of {names} do not count without its witnesses: `trustix-proxy logs` names them"),
            (SilenceReason.NoInclusionProofs, var names) => new Remedy(
                "elector", $"the votes of {names} lack inclusion proofs: set `inclusionProof` to `optional` to count them"),
            _ => null,
        }).OfType<Remedy>();

    private static IEnumerable<Remedy> Exceptions(Finding finding, Policy policy, Verdict verdict)
    {
        if (policy.Exceptions.FirstOrDefault(exception => NameGlob.Matches(exception.Match, finding.Path)) is { } unused)
        {
            yield return new Remedy("exception", $"the exception {unused} does not apply: renew it, or correct what it accepts");
        }

        foreach (var side in verdict.Answers.Where(answer => answer.Ballot is Ballot.Claimed)
            .GroupBy(answer => ((Ballot.Claimed)answer.Ballot).Claim, answer => answer.Elector.Name).Take(MaxSides))
        {
            yield return new Remedy("exception", $"an exception in `policy.exceptions` with \"match\": \"{finding.Path.Name}\" and "
                + $"\"accept\": \"{side.Key.NarHash}\" would accept what {string.Join(", ", side)} proved");
        }
    }

    private static IEnumerable<Ballot.Claimed> Claims(Verdict verdict) =>
        verdict.Answers.Select(answer => answer.Ballot).OfType<Ballot.Claimed>().DistinctBy(vote => vote.Claim);

    private static string Now(Answer answer) => $"{answer.Elector.Name} (now {(answer.Ballot switch
    {
        Ballot.Silent silent => Kebab.Of(silent.Reason),
        Ballot.Absent { IsProven: true } => "absent",
        _ => "not found",
    })})";
}
