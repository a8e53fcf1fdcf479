using System.Collections.Immutable;
using System.Text;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Consensus;

/// <summary>What a proven claim other than the quorum's does.</summary>
public enum Dissent
{
    /// <summary>It is outvoted.</summary>
    Outvoted,

    /// <summary>It refuses the path.</summary>
    Veto,
}

/// <summary>Who is asked, and who of them must agree on what. Counts over all who were declared, never over those who happened to
/// answer.</summary>
public sealed class Policy
{
    private readonly ImmutableArray<IGrouping<string, Elector>> _operators;
    private readonly Lazy<string> _text;
    private readonly Lazy<Digest> _identity;

    /// <summary>Declares an electorate with one rule for all paths: so many of the operators.</summary>
    /// <param name="electors">No name twice, and no key for two operators. None at all agree on nothing.</param>
    /// <param name="quorum">How many operators must agree, from 1 to all; null for a majority.</param>
    /// <param name="dissent">What one that proves something else does.</param>
    /// <exception cref="ArgumentException">A name or key occurs twice.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The quorum cannot be reached, or is nothing.</exception>
    public Policy(IEnumerable<Elector> electors, int? quorum = null, Dissent dissent = Dissent.Outvoted)
        : this([.. electors], operators => new Rule(quorum ?? Rule.Majority(operators.Length), operators), dissent)
    {
    }

    /// <summary>Declares an electorate and the rule for paths that no scope matches.</summary>
    /// <inheritdoc cref="Policy(IEnumerable{Elector}, int?, Dissent)"/>
    public Policy(IEnumerable<Elector> electors, Rule rule, Dissent dissent = Dissent.Outvoted)
        : this([.. electors], _ => rule, dissent)
    {
    }

    private Policy(ImmutableArray<Elector> electors, Func<ImmutableArray<string>, Rule> rule, Dissent dissent)
    {
        Electors = electors;
        _operators = [.. Electors.GroupBy(elector => elector.Operator)];
        Rest = new Scope(null, rule([.. _operators.Select(group => group.Key)]), dissent);
        _text = new Lazy<string>(Write);
        _identity = new Lazy<Digest>(() => Digest.Of(Encoding.UTF8.GetBytes(Text)));
        var keys = Electors.SelectMany(elector => elector.KeyBytes.Select(
            key => (Key: Convert.ToHexString(key), Voter: elector is Elector.Log ? elector.Name : elector.Operator)));
        if (Electors.DistinctBy(elector => elector.Name).Count() != Electors.Length
            || keys.Distinct().GroupBy(key => key.Key).Any(group => group.Count() > 1))
        {
            throw new ArgumentException("An electorate has each name once, and each key for one log or operator.", nameof(electors));
        }

        ArgumentOutOfRangeException.ThrowIfEqual(Rest.Rule.IsSound, false, nameof(rule));
    }

    /// <summary>Who is asked.</summary>
    public ImmutableArray<Elector> Electors { get; }

    /// <summary>The rule for paths that no scope matches.</summary>
    public Scope Rest { get; }

    /// <summary>Rules of some paths, of which the first that matches is the path's.</summary>
    public ImmutableArray<Scope> Scopes { get; init; } = [];

    /// <summary>Paths that are served without the rule being met; the first that has not expired and matches is the path's.</summary>
    public ImmutableArray<PolicyException> Exceptions { get; init; } = [];

    /// <summary>Whether paths that their content address makes are served without a vote, once the content is seen to have that
    /// address.</summary>
    public bool ServesContentAddressed { get; init; } = true;

    /// <summary>Whether a path is served only when all that it refers to may be served too.</summary>
    public bool RequiresClosure { get; init; }

    /// <summary>The signed cache whose word is served whatever is decided (report mode); null where decisions are enforced.</summary>
    public string? Fallback { get; init; }

    /// <summary>The policy's digest: another electorate or rule has another one. Addresses and timeouts are no part of it.</summary>
    public Digest Identity => _identity.Value;

    /// <summary>All of the policy, as text: what <see cref="Identity"/> is the digest of.</summary>
    public string Text => _text.Value;

    /// <summary>The rule of a path.</summary>
    public Scope ScopeOf(StorePath path) => Scopes.FirstOrDefault(scope => NameGlob.Matches(scope.Match!, path)) ?? Rest;

    /// <summary>The verdict when no more answers will be waited for: who has no ballot is silent.</summary>
    /// <param name="path">The path that was asked about.</param>
    /// <param name="ballots">Ballots by elector name; the order in which they came is of no account.</param>
    public Verdict Decide(StorePath path, IReadOnlyDictionary<string, Ballot> ballots)
    {
        var all = Electors.ToDictionary(
            elector => elector.Name, elector => ballots.GetValueOrDefault(elector.Name) ?? new Ballot.Silent(SilenceReason.NoAnswer));
        return TryDecide(path, all, out var verdict) ? verdict
            : throw new System.Diagnostics.UnreachableException("With every ballot in, nothing is open.");
    }

    /// <summary>The verdict that no answer of those who have no ballot yet could change; false while one could.</summary>
    /// <param name="path">The path that was asked about.</param>
    /// <param name="ballots">Ballots by elector name; who is not in it has not answered yet.</param>
    /// <param name="verdict">The verdict, the same that all answers would lead to.</param>
    public bool TryDecide(StorePath path, IReadOnlyDictionary<string, Ballot> ballots, [NotNullWhen(true)] out Verdict? verdict)
    {
        var (scope, tally) = (ScopeOf(path), Count(ballots));
        var rule = scope.Rule;
        var winners = tally.Claims.Where(claim => rule.IsMetBy(tally.VotesFor(claim))).ToList();
        var rivals = tally.Claims.Count(claim => !winners.Contains(claim) && rule.IsMetBy(tally.ReachOf(claim)))
            + (rule.IsMetBy(tally.Open) ? 1 : 0);
        var hasDissent = tally.Claims.Count >= 2;
        var mayDissent = scope.Dissent is Dissent.Veto && tally.IsWaiting;
        verdict = (winners.Count, scope.Dissent) switch
        {
            (_, Dissent.Veto) when hasDissent => new Verdict.Conflict(ConflictReason.Veto, rule, Answers(ballots)),
            ( >= 2, _) => new Verdict.Conflict(ConflictReason.TwoQuorums, rule, Answers(ballots)),
            (_, _) when rivals > 0 => null,
            (1, _) when mayDissent => null,
            (1, _) => new Verdict.Agreed(winners[0], rule, Answers(ballots)),
            (0, _) when hasDissent => new Verdict.Conflict(ConflictReason.NoQuorum, rule, Answers(ballots)),
            (0, _) when tally.IsWaiting => null,
            _ => new Verdict.Undecided(rule, Answers(ballots)),
        };
        return verdict is not null;
    }

    /// <summary>Whether a quorum could still come about if all who have no ballot yet said what it takes.</summary>
    public bool CanReachQuorum(StorePath path, IReadOnlyDictionary<string, Ballot> ballots)
    {
        var (rule, tally) = (ScopeOf(path).Rule, Count(ballots));
        return rule.IsMetBy(tally.Open) || tally.Claims.Any(claim => rule.IsMetBy(tally.ReachOf(claim)));
    }

    /// <summary>The exception that a path has at a time, if the rule is not met; null when it has none.</summary>
    public PolicyException? ExceptionFor(StorePath path, DateTimeOffset now) =>
        Exceptions.FirstOrDefault(exception => exception.Expires > now && NameGlob.Matches(exception.Match, path));

    /// <summary>A verdict as exceptions leave it: what the rule grants stays, and a refusal may become what an exception accepts.</summary>
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

        var expired = Exceptions.FirstOrDefault(candidate => NameGlob.Matches(candidate.Match, path));
        return expired is null ? verdict : verdict with { Note = $"; expired: the exception {expired}" };
    }

    private ImmutableArray<Answer> Answers(IReadOnlyDictionary<string, Ballot> ballots) =>
        [.. Electors.Select(
            elector => new Answer(elector, ballots.GetValueOrDefault(elector.Name) ?? new Ballot.Silent(SilenceReason.NotHeard)))];

    private Tally Count(IReadOnlyDictionary<string, Ballot> ballots)
    {
        var tally = new Tally();
        foreach (var group in _operators)
        {
            var cast = group.Select(elector => ballots.GetValueOrDefault(elector.Name)).ToList();
            tally.Add(group.Key, [.. cast.OfType<Ballot.Claimed>().Select(vote => vote.Claim).Distinct()], isWaiting: cast.Contains(null));
        }

        return tally;
    }

    /// <summary>Votes by operator: cast ones, and those that may still be cast.</summary>
    private sealed class Tally
    {
        private readonly Dictionary<OutputClaim, HashSet<string>> _votes = [], _possible = [];

        /// <summary>Each claim that anyone has proven.</summary>
        public Dictionary<OutputClaim, HashSet<string>>.KeyCollection Claims => _votes.Keys;

        /// <summary>Operators that may still vote for anything.</summary>
        public HashSet<string> Open { get; } = [];

        /// <summary>Whether any elector has not answered yet.</summary>
        public bool IsWaiting { get; private set; }

        /// <summary>Operators whose electors have all answered, and say this claim and no other.</summary>
        public HashSet<string> VotesFor(OutputClaim claim) => _votes[claim];

        /// <summary>The most operators that this claim can come to.</summary>
        public HashSet<string> ReachOf(OutputClaim claim) => [.. _votes[claim], .. _possible[claim], .. Open];

        public void Add(string name, IReadOnlyList<OutputClaim> claims, bool isWaiting)
        {
            IsWaiting |= isWaiting;
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

    private string Write()
    {
        string[] flags = [ServesContentAddressed ? "content-addressed" : "", RequiresClosure ? "closure" : "", Fallback is null ? ""
            : $"report {Fallback}"];
        var scopes = Scopes.Append(Rest).Select(scope => $"scope {scope.Match ?? "*"}: {scope.Rule.Text}, dissent {scope.Dissent}");
        var exceptions = Exceptions.Select(exception => $"exception {exception.Identity}");
        var electors = Electors.Select(elector => $"elector {elector.Identity}").Order(StringComparer.Ordinal);
        return string.Join('\n', ["policy 2", .. flags.Where(flag => flag.Length > 0), .. scopes, .. exceptions, .. electors]);
    }
}
