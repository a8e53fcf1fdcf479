using System.Collections.Immutable;
using TrustixProxy.Consensus;

namespace TrustixProxy.Apt;

/// <summary>One elector's answer in a verdict.</summary>
/// <param name="Elector">The elector.</param>
/// <param name="Ballot">Its ballot.</param>
public sealed record DebAnswer(Elector Elector, DebBallot Ballot);

/// <summary>Whether a file of a package may be served, and why.</summary>
public sealed record DebVerdict
{
    private readonly Judgement<DebClaim> _judgement;

    private DebVerdict(AskedDeb asked, Outcome outcome, Judgement<DebClaim> judgement, ImmutableArray<DebAnswer> answers) =>
        (Asked, Outcome, _judgement, Answers) = (asked, outcome, judgement, answers);

    /// <summary>The file decided on.</summary>
    public AskedDeb Asked { get; }

    /// <summary><see cref="Outcome.Agreed"/>, <see cref="Outcome.Excepted"/> or <see cref="Outcome.Report"/>, which are served;
    /// <see cref="Outcome.Conflict"/> or <see cref="Outcome.Undecided"/>, which are refused.</summary>
    public Outcome Outcome { get; }

    /// <summary>Every elector's answer, in configuration order: the reason of the verdict.</summary>
    public ImmutableArray<DebAnswer> Answers { get; }

    /// <summary>The rule applied; it counts silent rebuilders too.</summary>
    public Rule Rule => _judgement.Rule;

    /// <summary>The exception that accepts the file; null for other outcomes.</summary>
    public PolicyException? Exception { get; private init; }

    /// <summary>Whether it is a refusal only because rebuilders did not answer, so that it may soon be another.</summary>
    public bool MayChange { get; private init; }

    /// <summary>A note appended to the reason; may be empty.</summary>
    public string Note { get; private init; } = "";

    /// <summary>Whether the file may be served.</summary>
    public bool IsGranted => Outcome is Outcome.Agreed or Outcome.Excepted or Outcome.Report;

    /// <summary>The reason in one line: <c>2 of 3 needed: alice=good, bob=bad, carol=silent(no-answer)</c>.</summary>
    public string Sentence =>
        $"{Rule} needed: {string.Join(", ", Answers.Select(answer => $"{answer.Elector.Name}={DebReason.WordOf(answer, this)}"))}"
            + _judgement.Note + Note;

    /// <summary>The reason of a refusal as the reason phrase of a response: short, in ASCII.</summary>
    public string Reason => DebReason.PhraseOf(this);

    /// <summary>Decides if no missing ballot could change the verdict; false while one could.</summary>
    /// <param name="policy">The policy, whose electors are the rebuilders.</param>
    /// <param name="asked">The file asked about.</param>
    /// <param name="ballots">Ballots by elector name; an absent elector has not answered yet.</param>
    /// <param name="now">The time, for exceptions.</param>
    /// <param name="verdict">The verdict.</param>
    public static bool TryDecide(
        Policy policy, AskedDeb asked, IReadOnlyDictionary<string, DebBallot> ballots, DateTimeOffset now,
            [NotNullWhen(true)] out DebVerdict? verdict)
    {
        verdict = null;
        var (file, claims) = (asked.File, ClaimsOf(ballots));
        var exception = policy.ExceptionFor(file.Name, now);
        if (!policy.TryJudge(file.Name, claims, out var judgement)
            || (!asked.IsClaimedBy(judgement.Winner) && exception?.Cache is { } awaited && !claims.ContainsKey(awaited)))
        {
            return false;
        }

        var isExcepted = exception is not null && Accepts(exception, asked, claims);
        var outcome = asked.IsClaimedBy(judgement.Winner) ? Outcome.Agreed
            : isExcepted ? Outcome.Excepted
            : policy.Fallback is not null ? Outcome.Report
            : judgement is { Winner: null, Conflict: null } ? Outcome.Undecided : Outcome.Conflict;
        ImmutableArray<DebAnswer> answers = [.. policy.Electors.Select(elector =>
            new DebAnswer(elector, ballots.GetValueOrDefault(elector.Name) ?? new DebBallot.Silent(SilenceReason.NotHeard)))];
        verdict = new DebVerdict(asked, outcome, judgement, answers)
        {
            Exception = outcome is Outcome.Excepted ? exception : null,
            MayChange = outcome is Outcome.Conflict or Outcome.Undecided && MayBeGranted(policy, file.Name, exception, ballots),
            Note = NoteOf(outcome, exception ?? policy.AnyExceptionFor(file.Name), now),
        };
        return true;
    }

    /// <summary>Decides when no more answers will be waited for: an elector without a ballot counts as silent.</summary>
    /// <inheritdoc cref="TryDecide"/>
    public static DebVerdict Decide(
        Policy policy, AskedDeb asked, IReadOnlyDictionary<string, DebBallot> ballots, DateTimeOffset now)
    {
        var all = policy.Electors.ToDictionary(
            elector => elector.Name, elector => ballots.GetValueOrDefault(elector.Name) ?? new DebBallot.Silent(SilenceReason.NoAnswer));
        return TryDecide(policy, asked, all, now, out var verdict) ? verdict
            : throw new System.Diagnostics.UnreachableException("With every ballot in, nothing is open.");
    }

    private static Dictionary<string, DebClaim?> ClaimsOf(IEnumerable<KeyValuePair<string, DebBallot>> ballots) =>
        ballots.ToDictionary(ballot => ballot.Key, ballot => (ballot.Value as DebBallot.Claimed)?.Claim);

    private static bool Accepts(PolicyException exception, AskedDeb asked, Dictionary<string, DebClaim?> claims) =>
        exception.Cache is { } rebuilder ? asked.IsClaimedBy(claims.GetValueOrDefault(rebuilder)) : exception.AcceptsFile(asked.Sha256);

    /// <summary>Whether answers in place of outages could grant something.</summary>
    private static bool MayBeGranted(
        Policy policy, string name, PolicyException? exception, IReadOnlyDictionary<string, DebBallot> ballots)
    {
        var answers = ClaimsOf(ballots.Where(ballot => !ballot.Value.IsOutage));
        return (exception?.Cache is { } rebuilder && !answers.ContainsKey(rebuilder))
            || (!policy.TryJudge(name, answers, out _) && policy.CanReachQuorum(name, answers));
    }

    private static string NoteOf(Outcome outcome, PolicyException? exception, DateTimeOffset now) => (outcome, exception) switch
    {
        (Outcome.Excepted, _) => $"; excepted: {exception}",
        (Outcome.Report, _) => "; report mode: enforcing would refuse",
        (Outcome.Agreed, _) or (_, null) => "",
        _ when exception.Expires <= now => $"; expired: the exception {exception}",
        _ => $"; the exception {exception} does not take this file",
    };
}
