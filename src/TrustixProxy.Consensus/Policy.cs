using System.Collections.Immutable;
using System.Text;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Consensus;

/// <summary>The effect of a proven claim that differs from the quorum's.</summary>
public enum Dissent
{
    /// <summary>The claim is outvoted.</summary>
    Outvoted,

    /// <summary>The claim refuses the path.</summary>
    Veto,
}

/// <summary>Defines the electors and the rules by which they must agree. Counts all declared electors, never only those that
/// answered.</summary>
public sealed class Policy
{
    private readonly ImmutableArray<IGrouping<string, Elector>> _operators;
    private readonly Lazy<string> _text;
    private readonly Lazy<Digest> _identity;

    /// <summary>Declares electors with one rule for all paths: a number of operators.</summary>
    /// <param name="electors">The electors, with unique names, and no key shared by two of them. Without any, nothing is agreed.</param>
    /// <param name="quorum">Number of operators that must agree, from 1 to all; null for a majority.</param>
    /// <param name="dissent">The effect of a differing claim.</param>
    /// <exception cref="ArgumentException">A name or key occurs twice.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The quorum is unreachable, or not positive.</exception>
    public Policy(IEnumerable<Elector> electors, int? quorum = null, Dissent dissent = Dissent.Outvoted)
        : this([.. electors], null, quorum, dissent)
    {
    }

    /// <summary>Declares electors, and the rule for paths that no scope matches.</summary>
    /// <inheritdoc cref="Policy(IEnumerable{Elector}, int?, Dissent)"/>
    public Policy(IEnumerable<Elector> electors, Rule rule, Dissent dissent = Dissent.Outvoted)
        : this([.. electors], rule, null, dissent)
    {
    }

    private Policy(ImmutableArray<Elector> electors, Rule? rule, int? quorum, Dissent dissent)
    {
        Electors = electors;
        _operators = [.. Electors.GroupBy(elector => elector.Operator)];
        ImmutableArray<string> operators = [.. _operators.Select(group => group.Key)];
        Rest = new Scope(null, rule ?? new Rule(quorum ?? Rule.Majority(operators.Length), operators), dissent);
        _text = new Lazy<string>(Write);
        _identity = new Lazy<Digest>(() => Digest.Of(Encoding.UTF8.GetBytes(Text)));
        var keys = Electors.SelectMany(elector => elector.KeyBytes.Select(key => (Key: Convert.ToHexString(key), Elector: elector)));
        if (Electors.DistinctBy(elector => elector.Name).Count() != Electors.Length
            || keys.GroupBy(item => item.Key, item => item.Elector).Any(group => group.Distinct().Count() > 1))
        {
            throw new ArgumentException("An electorate has each name once, and each key for one elector.", nameof(electors));
        }

        ArgumentOutOfRangeException.ThrowIfEqual(Rest.Rule.IsSound, false, nameof(rule));
    }

    /// <summary>The electors asked.</summary>
    public ImmutableArray<Elector> Electors { get; }

    /// <summary>The rule for paths that no scope matches.</summary>
    public Scope Rest { get; private init; }

    /// <summary>Rules for some paths; the first match applies.</summary>
    public ImmutableArray<Scope> Scopes { get; init; } = [];

    /// <summary>Exceptions that serve paths although the rule is not met; the first match that has not expired applies.</summary>
    public ImmutableArray<PolicyException> Exceptions { get; init; } = [];

    /// <summary>The time for which logs must have held the votes that make a quorum, on paths that no scope matches.</summary>
    public TimeSpan MinimumAge { get => Rest.MinimumAge; init => Rest = Rest with { MinimumAge = value }; }

    /// <summary>The longest age that any rule demands; zero when none does.</summary>
    public TimeSpan LongestAge => Scopes.Append(Rest).Max(scope => scope.MinimumAge);

    /// <summary>What a quorum must span, under every rule.</summary>
    public ImmutableArray<DistinctValues> Distinct { get; init; } = [];

    /// <summary>Whether content-addressed paths are served without a vote, once their content is verified against the address.</summary>
    public bool ServesContentAddressed { get; init; } = true;

    /// <summary>Whether a path is served only if all its references may be served too.</summary>
    public bool RequiresClosure { get; init; }

    /// <summary>The signed cache whose claims are served whatever is decided (report mode); null where decisions are enforced.</summary>
    public string? Fallback { get; init; }

    /// <summary>The store whose paths are decided on.</summary>
    public Store Store { get; init; } = Store.Nix;

    /// <summary>The policy's digest, which depends on store, electors and rules, but not on addresses and timeouts.</summary>
    public Digest Identity => _identity.Value;

    /// <summary>The whole policy as text, whose digest is <see cref="Identity"/>.</summary>
    public string Text => _text.Value;

    /// <summary>Returns the rule for a path.</summary>
    public Scope ScopeOf(StorePath path) => ScopeOf(path.Name);

    /// <summary>Returns the rule for a name.</summary>
    public Scope ScopeOf(string name) => Scopes.FirstOrDefault(scope => NameGlob.Matches(scope.Match!, name)) ?? Rest;

    /// <summary>Decides when no more answers will be waited for: an elector without a ballot counts as silent.</summary>
    /// <param name="path">The path asked about.</param>
    /// <param name="ballots">Ballots by elector name; their order does not matter.</param>
    public Verdict Decide(StorePath path, IReadOnlyDictionary<string, Ballot> ballots)
    {
        var all = Electors.ToDictionary(
            elector => elector.Name, elector => ballots.GetValueOrDefault(elector.Name) ?? new Ballot.Silent(SilenceReason.NoAnswer));
        return TryDecide(path, all, out var verdict) ? verdict
            : throw new System.Diagnostics.UnreachableException("With every ballot in, nothing is open.");
    }

    /// <summary>Decides if no missing ballot could change the verdict; false while one could.</summary>
    /// <param name="path">The path asked about.</param>
    /// <param name="ballots">Ballots by elector name; an absent elector has not answered yet.</param>
    /// <param name="verdict">The verdict, the same for all possible answers.</param>
    public bool TryDecide(StorePath path, IReadOnlyDictionary<string, Ballot> ballots, [NotNullWhen(true)] out Verdict? verdict)
    {
        var scope = ScopeOf(path);
        var finding = Judge(scope, Count(ballots, scope.MinimumAge));
        verdict = finding is null ? null : VerdictOf(finding, scope.Rule, Answers(ballots));
        return verdict is not null;
    }

    /// <summary>Decides on where an output was built to, by the same rules, if no missing ballot could change the verdict.</summary>
    /// <param name="key">The output asked about.</param>
    /// <param name="ballots">Ballots by elector name; an absent elector has not answered yet.</param>
    /// <param name="verdict">The verdict, the same for all possible answers.</param>
    /// <remarks>A key that is a hash hides the name of what is built, so that nobody can tell which scope is the right one: every scope's
    /// rule must grant the same. Exceptions name paths, and do not apply.</remarks>
    public bool TryDecide(
        TraceKey key, IReadOnlyDictionary<string, TraceBallot> ballots, [NotNullWhen(true)] out TraceVerdict? verdict)
    {
        verdict = null;
        var claims = ballots.ToDictionary(ballot => ballot.Key, ballot => ballot.Value.Claim);
        var named = claims.Values.Select(claim => claim?.OutPath).FirstOrDefault(path => path is not null);
        ImmutableArray<Scope> scopes = key.HasName ? [named is null ? Rest : ScopeOf(named)] : [.. Scopes, Rest];
        var findings = scopes.Select(scope => (Scope: scope, Found: Judge(scope, CountClaims(claims, scope.MinimumAge)))).ToList();
        if (findings.Exists(item => item.Found is null))
        {
            return false;
        }

        var (rule, worst) = findings.Select(item => (item.Scope.Rule, item.Found!)).MinBy(item => item.Item2.Winner is not null);
        var granted = findings.TrueForAll(item => item.Found!.Winner == findings[0].Found!.Winner) ? findings[0].Found!.Winner : null;
        var outcome = granted is not null ? Outcome.Agreed
            : worst is { Winner: null, Conflict: null } ? Outcome.Undecided : Outcome.Conflict;
        var answers = Electors.Select(elector => $"{elector.Name}={ballots.GetValueOrDefault(elector.Name) switch
        {
            null => $"silent({Kebab.Of(SilenceReason.NotHeard)})",
            { Claim: { } claim } => claim.OutPath,
            var silent => silent.Word,
        }}");
        verdict = new TraceVerdict(outcome, granted, $"{rule} needed: {string.Join(", ", answers)}{worst.Note}");
        return true;
    }

    /// <summary>Judges claims of another kind by the same rules, if no missing answer could change what they come to.</summary>
    /// <param name="name">The name that scopes match.</param>
    /// <param name="claims">What each elector claims, by its name; null for nothing. An absent elector has not answered yet.</param>
    /// <param name="judgement">What they come to, the same for all possible answers.</param>
    /// <remarks>Exceptions are the caller's, since only it knows what they accept.</remarks>
    public bool TryJudge<TClaim>(
        string name, IReadOnlyDictionary<string, TClaim?> claims, [NotNullWhen(true)] out Judgement<TClaim>? judgement)
        where TClaim : class
    {
        var scope = ScopeOf(name);
        var finding = Judge(scope, CountClaims(claims, scope.MinimumAge));
        judgement = finding is null ? null : new Judgement<TClaim>(finding.Winner, finding.Conflict, scope.Rule, finding.Note);
        return judgement is not null;
    }

    /// <summary>Judges what was counted under one rule; null while a missing ballot could change it.</summary>
    private Finding<TClaim>? Judge<TClaim>(Scope scope, Tally<TClaim> tally)
        where TClaim : class
    {
        var rule = scope.Rule;
        var winners = tally.Claims.Where(claim => rule.IsMetBy(tally.VotesFor(claim))).ToList();
        var rivals = tally.Claims.Count(claim => !winners.Contains(claim) && rule.IsMetBy(tally.ReachOf(claim)))
            + (rule.IsMetBy(tally.Open) ? 1 : 0);
        var hasDissent = tally.Claims.Count >= 2;
        var mayDissent = scope.Dissent is Dissent.Veto && tally.IsWaiting;
        return (winners.Count, scope.Dissent) switch
        {
            (_, Dissent.Veto) when hasDissent => new(null, ConflictReason.Veto),
            ( >= 2, _) => new(null, ConflictReason.TwoQuorums),
            (_, _) when rivals > 0 => null,
            (1, _) when mayDissent => null,
            (1, _) when Lack(scope, tally.AgedVotesFor(winners[0])) is { } lack =>
                tally.IsWaiting && (!hasDissent || Lack(scope, tally.AgedReachOf(winners[0])) is null) ? null
                    : new(null, hasDissent ? ConflictReason.NoQuorum : null)
                    {
                        Note = $"; the quorum lacks {lack}",
                        IsTooYoung = Missing(rule, tally.VotesFor(winners[0])) is null,
                    },
            (1, _) => new(winners[0], null),
            (0, _) when hasDissent => new(null, ConflictReason.NoQuorum),
            (0, _) when tally.IsWaiting => null,
            _ => new(null, null),
        };
    }

    private static Verdict VerdictOf(Finding<OutputClaim> finding, Rule rule, ImmutableArray<Answer> answers)
    {
        Verdict verdict = finding switch
        {
            { Winner: { } claim } => new Verdict.Agreed(claim, rule, answers),
            { Conflict: { } reason } => new Verdict.Conflict(reason, rule, answers),
            _ => new Verdict.Undecided(rule, answers),
        };
        return finding.Note.Length is 0 ? verdict : verdict with { Note = finding.Note, IsTooYoung = finding.IsTooYoung };
    }

    /// <summary>Whether the missing ballots could still complete a quorum.</summary>
    public bool CanReachQuorum(StorePath path, IReadOnlyDictionary<string, Ballot> ballots)
    {
        var scope = ScopeOf(path);
        return CanReachQuorum(scope, Count(ballots, scope.MinimumAge));
    }

    /// <summary>Whether the missing answers could still complete a quorum for a claim of another kind.</summary>
    public bool CanReachQuorum<TClaim>(string name, IReadOnlyDictionary<string, TClaim?> claims)
        where TClaim : class
    {
        var scope = ScopeOf(name);
        return CanReachQuorum(scope, CountClaims(claims, scope.MinimumAge));
    }

    private bool CanReachQuorum<TClaim>(Scope scope, Tally<TClaim> tally)
        where TClaim : class =>
        Lack(scope, tally.Open) is null || tally.Claims.Any(claim => Lack(scope, tally.AgedReachOf(claim)) is null);

    /// <summary>What a quorum lacks when only these operators have votes of the age that the scope demands; null when it lacks
    /// nothing.</summary>
    private string? Lack(Scope scope, IReadOnlySet<string> aged) =>
        !scope.Rule.IsMetBy(aged) ? $"votes that their logs have held for {scope.MinimumAge:c}" : Missing(scope.Rule, aged)?.ToString();

    /// <summary>Whether operators meet a rule, and span what the policy demands.</summary>
    public bool IsMet(Rule rule, IReadOnlySet<string> operators) => rule.IsMetBy(operators) && Missing(rule, operators) is null;

    /// <summary>The first demand that the operators which a rule counts do not meet; null when they meet all.</summary>
    private DistinctValues? Missing(Rule rule, IReadOnlySet<string> operators) => Distinct.FirstOrDefault(distinct =>
        !distinct.IsMetBy(_operators.Where(group => operators.Contains(group.Key) && rule.AllOperators.Contains(group.Key))));

    /// <summary>Returns the exception in force for a path at a time, to apply if the rule is not met; null when there is none.</summary>
    public PolicyException? ExceptionFor(StorePath path, DateTimeOffset now) => ExceptionFor(path.Name, now);

    /// <summary>Returns the exception in force for a name at a time.</summary>
    public PolicyException? ExceptionFor(string name, DateTimeOffset now) =>
        Exceptions.FirstOrDefault(exception => exception.Expires > now && NameGlob.Matches(exception.Match, name));

    /// <summary>Returns the first exception for a name, expired or not.</summary>
    public PolicyException? AnyExceptionFor(string name) =>
        Exceptions.FirstOrDefault(exception => NameGlob.Matches(exception.Match, name));

    /// <summary>Applies exceptions to a verdict: a grant stays, and a refusal may become an excepted claim.</summary>
    public Verdict Except(StorePath path, Verdict verdict, DateTimeOffset now)
    {
        if (verdict.Granted is not null)
        {
            return verdict;
        }

        if (ExceptionFor(path, now) is { } exception)
        {
            return exception.Accept(verdict.Answers) is { } claim
                ? new Verdict.Excepted(claim, exception, verdict)
                : verdict with { Note = $"; the exception {exception} finds no such claim, or two" };
        }

        return AnyExceptionFor(path.Name) is not { } expired ? verdict : verdict with { Note = $"; expired: the exception {expired}" };
    }

    private ImmutableArray<Answer> Answers(IReadOnlyDictionary<string, Ballot> ballots) =>
        [.. Electors.Select(
            elector => new Answer(elector, ballots.GetValueOrDefault(elector.Name) ?? new Ballot.Silent(SilenceReason.NotHeard)))];

    private Tally<OutputClaim> Count(IReadOnlyDictionary<string, Ballot> ballots, TimeSpan minimumAge)
    {
        var tally = new Tally<OutputClaim>();
        foreach (var group in _operators)
        {
            var cast = group.Select(elector => ballots.GetValueOrDefault(elector.Name)).ToList();
            var votes = cast.OfType<Ballot.Claimed>().ToList();
            tally.Add(group.Key, [.. votes.Select(vote => vote.Claim).Distinct()], isWaiting: cast.Contains(null),
                isAged: minimumAge == TimeSpan.Zero || votes.Exists(vote => vote.Age >= minimumAge));
        }

        return tally;
    }

    /// <remarks>Nothing shows the age of such claims.</remarks>
    private Tally<TClaim> CountClaims<TClaim>(IReadOnlyDictionary<string, TClaim?> claims, TimeSpan minimumAge)
        where TClaim : class
    {
        var tally = new Tally<TClaim>();
        foreach (var group in _operators)
        {
            var isWaiting = group.Any(elector => !claims.ContainsKey(elector.Name));
            var cast = group.Select(elector => claims.GetValueOrDefault(elector.Name)).OfType<TClaim>().Distinct();
            tally.Add(group.Key, [.. cast], isWaiting, isAged: minimumAge == TimeSpan.Zero);
        }

        return tally;
    }

    /// <summary>What the ballots come to under one rule: a claim that wins, or why there is none.</summary>
    private sealed record Finding<TClaim>(TClaim? Winner, ConflictReason? Conflict)
    {
        /// <summary>What the quorum lacks; empty when it lacks nothing.</summary>
        public string Note { get; init; } = "";

        /// <summary>Whether only the age of its votes keeps it from winning.</summary>
        public bool IsTooYoung { get; init; }
    }

    /// <summary>Counts votes by operator: those cast, and those still possible.</summary>
    private sealed class Tally<TClaim>
        where TClaim : class
    {
        private readonly Dictionary<TClaim, HashSet<string>> _votes = [], _possible = [];
        private readonly HashSet<string> _aged = [];

        /// <summary>All proven claims.</summary>
        public Dictionary<TClaim, HashSet<string>>.KeyCollection Claims => _votes.Keys;

        /// <summary>Operators that may still vote for anything.</summary>
        public HashSet<string> Open { get; } = [];

        /// <summary>Whether any elector has not answered yet.</summary>
        public bool IsWaiting { get; private set; }

        /// <summary>Returns the operators whose electors have all answered with this claim and no other.</summary>
        public HashSet<string> VotesFor(TClaim claim) => _votes[claim];

        /// <summary>Returns all operators that could end up voting for this claim.</summary>
        public HashSet<string> ReachOf(TClaim claim) => [.. _votes[claim], .. _possible[claim], .. Open];

        /// <summary>Returns those of <see cref="VotesFor"/> whose vote has the demanded age.</summary>
        public HashSet<string> AgedVotesFor(TClaim claim) => [.. _votes[claim].Where(_aged.Contains)];

        /// <summary>Returns all operators that could end up with such a vote.</summary>
        public HashSet<string> AgedReachOf(TClaim claim) => [.. AgedVotesFor(claim), .. _possible[claim], .. Open];

        public void Add(string name, IReadOnlyList<TClaim> claims, bool isWaiting, bool isAged)
        {
            IsWaiting |= isWaiting;
            if (isAged)
            {
                _aged.Add(name);
            }

            foreach (var claim in claims)
            {
                _votes.TryAdd(claim, []);
                _possible.TryAdd(claim, []);
            }

            if (claims is [var only])
            {
                (isWaiting ? _possible : _votes)[only].Add(name);
            }
            else if (claims.Count is 0 && isWaiting)
            {
                Open.Add(name);
            }
        }
    }

    private static string AgeOf(Scope scope) => scope.MinimumAge == TimeSpan.Zero ? "" : $", age {scope.MinimumAge:c}";

    private static string TagsOf(Elector elector) => elector.Tags == ElectorTags.None ? "" : $"|tags {elector.Tags.Text}";

    private string Write()
    {
        string[] flags = [Store == Store.Nix ? "" : $"store {Store}", ServesContentAddressed ? "content-addressed" : "",
            RequiresClosure ? "closure" : "", Fallback is null ? "" : $"report {Fallback}",
            .. Distinct.Select(distinct => $"distinct {distinct}")];
        var scopes = Scopes.Append(Rest).Select(scope =>
            $"scope {scope.Match ?? "*"}: {scope.Rule.Text}, dissent {scope.Dissent}{AgeOf(scope)}");
        var exceptions = Exceptions.Select(exception => $"exception {exception.Identity}");
        var electors = Electors.Select(elector => $"elector {elector.Identity}{TagsOf(elector)}").Order(StringComparer.Ordinal);
        return string.Join('\n', ["policy 2", .. flags.Where(flag => flag.Length > 0), .. scopes, .. exceptions, .. electors]);
    }
}
