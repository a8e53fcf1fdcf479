using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Evidence;

namespace TrustixProxy.Simulation;

/// <summary>One path that is decided on, once or twice, while some lie; and all that must hold of it.</summary>
internal sealed class Trial
{
    private readonly World _world;
    private readonly Census _census;
    private readonly Scene _scene;
    private readonly string _name;

    public Trial(World world, Census census, int number)
    {
        (_world, _census, _name) = (world, census, $"trial {number}");
        _scene = new Scene(world);
    }

    /// <summary>What was served and kept, and still is to be served when all is over; null when nothing is.</summary>
    public OutputClaim? Kept { get; private set; }

    private Random Random => _world.Random;

    public async Task RunAsync()
    {
        await _scene.SetAsync();
        var ahead = Random.Next(8) is 0 && !_scene.HasLieOfTheWire ? await AskAheadAsync() : null;
        var first = await AskAsync(isLater: false);
        Fault.Unless(ahead is null || ahead == first.All.Granted || _scene.HasHarmlessLie,
            $"{_name}: asked ahead, {ahead?.NarHash} is kept, and asked for it is {first.Word}: {first.All.Sentence}");
        var record = (first.Result as PollResult.Served)?.Record;
        var isKept = record is not null && (Random.Next(4) is 0 || _scene.HasUpstreamLie || _scene.HasDelayedLie)
            && first.All.Granted == record.Claim; // else who was heard only after the answer had left has voided it
        if (isKept)
        {
            record = DecisionRecord.Of(first.All, record!.Hints!, record.DecidedAt); // as the proxy keeps it once everyone has spoken
            await CheckAnswerAsync(record, first.All);
        }

        if (_scene.HasDelayedLie || Random.Next(3) is 0)
        {
            await Task.Delay(TimeSpan.FromSeconds(1.5), _world.Time); // else an absence is believed under the head that is known
            await AskAgainAsync(first);
        }

        if (isKept)
        {
            CheckKept(record!);
        }

        await _scene.ClearAsync();
        Kept = isKept ? record!.Claim : null;
    }

    /// <summary>What is kept when the path is decided on ahead of any request for it; null when nothing is.</summary>
    private async Task<OutputClaim?> AskAheadAsync()
    {
        await _scene.PrepareAsync();
        await _world.Parts.Decider.DecideAheadAsync(_scene.Path.Digest, 0, default);
        await Task.Delay(World.Deadline, _world.Time); // who comes late is heard too
        _census.AskedAhead++;
        var claim = _world.Parts.Cache.Find(_scene.Path.Digest)?.Record.Claim;
        _world.Parts.Cache.Forget(_scene.Path.Digest);
        return claim;
    }

    private async Task<Answered> AskAsync(bool isLater)
    {
        await _scene.PrepareAsync();
        var deliberation = _world.Parts.Electorate.Poll(_scene.Path.Digest, World.Deadline, isHasty: false);
        Verdict? all = null;
        await deliberation.RunAsync(_scene.KnownName is { } known ? [known] : [], settlement => all = settlement.All);
        var answered = new Answered(await deliberation.Result, all ?? throw new Fault($"{_name}: nobody was heard"));
        Check(answered, deliberation.LatenciesOf((await deliberation.Result).Decided), isLater);
        return answered;
    }

    /// <summary>The same again: in another order, with more votes for the truth, or after delayed lies.</summary>
    private async Task AskAgainAsync(Answered first)
    {
        var late = _scene.HasDelayedLie || Random.Next(2) is 0 ? [] : _scene.PublishLate();
        await _scene.TellDelayedLiesAsync();
        var second = await AskAsync(isLater: true);
        if (_scene.HasDelayedLie || _scene.HasHarmlessLie || (first.Served is { } claim && claim.Fingerprint != _scene.Truth))
        {
            return;
        }

        var isSplit = late.Any(member => _world.Members.Any(
            other => other.Elector.Operator == member.Elector.Operator && other.Expected(isLater: true) is LieKind.Dissent));
        Fault.Unless(late.Count > 0 ? first.Served is null || isSplit || second.Served == first.Served
            : (first.Word, first.Served) == (second.Word, second.Served),
            $"{_name}: asked again {(late.Count > 0 ? "with more honest votes" : "in another order")}, {first.Word} became {second.Word}: "
                + $"{first.All.Sentence}; then: {second.All.Sentence}");
    }

    private static bool IsLate(TimeSpan latency) => latency >= World.Deadline;

    private void Check(Answered answered, IReadOnlyDictionary<string, TimeSpan> latencies, bool isLater)
    {
        _census.CountOutcome(answered.Word);
        _scene.CheckBallots(answered.All, isLater, _census, _name);
        var ballots = answered.All.Answers.Select(answer => (answer.Elector.Operator, answer.Ballot)).ToList();
        var (word, claim) = Oracle.Decide(_world.Rule, _world.Policy.Rest.Dissent, ballots);
        var inTheEnd = word;
        if (answered.Word != word && latencies.Values.Any(IsLate))
        {
            // Who failed at first was heard only after the answer had left: the answer is right by those who were in time, and what came
            // late voids it.
            ballots = [.. answered.All.Answers.Select(answer => (answer.Elector.Operator,
                IsLate(latencies.GetValueOrDefault(answer.Elector.Name)) ? new Ballot.Silent(SilenceReason.NoAnswer) : answer.Ballot))];
            (word, claim) = Oracle.Decide(_world.Rule, _world.Policy.Rest.Dissent, ballots);
        }

        word = claim is not null && !_scene.IsOffered(claim) ? "no-upstream" : word;
        Fault.Unless((answered.Word == word && (answered.Served == claim || word is "no-upstream"))
            || (answered.Served is null && _scene.HasHarmlessLie),
            $"{_name}: {answered.Word} where the rules say {word}: "
                + $"{(answered.Result as PollResult.Refused)?.Sentence ?? answered.All.Sentence}");
        if (answered.Served is { } served)
        {
            CheckVotes(served, answered.All, ballots);
        }

        CheckHonestQuorum(answered, isLater);
        CheckOrder(answered.All, inTheEnd);
        CheckMoreVotes(answered.All);
    }

    /// <summary>Nothing is served without the quorum's verifiable proofs, each by another operator.</summary>
    private void CheckVotes(OutputClaim served, Verdict all, List<(string Operator, Ballot Ballot)> ballots)
    {
        Fault.Unless(Oracle.IsMet(_world.Rule, Oracle.Voters(served, ballots)), $"{_name}: served without a quorum: {all.Sentence}");
        foreach (var (elector, ballot) in all.Answers.Select(answer => (answer.Elector, answer.Ballot)))
        {
            var isProven = (elector, ballot) switch
            {
                (Elector.Log log, Ballot.Claimed { Proof: VoteProof.ByLog { Evidence: { } evidence } } vote) =>
                    evidence.Judge(log, _scene.Path) is Ballot.Claimed again && again.Claim == vote.Claim,
                (Elector.Cache cache, Ballot.Claimed { Proof: VoteProof.BySignature { Signature: var signature } } vote) =>
                    signature is NixSignature by && cache.Keys.OfType<NixPublicKey>().Any(key => key.Verify(vote.Claim.Fingerprint, by)),
                (_, Ballot.Claimed) => false,
                _ => true,
            };
            Fault.Unless(isProven, $"{_name}: the vote of {elector.Name} proves nothing");
        }

        if (served.Fingerprint == _scene.Truth)
        {
            return;
        }

        var liars = _world.Members.Where(member => LieKind.All.TryGetValue(member.Lie, out var kind)
            && (kind.Fate is LieKind.Dissent || kind.FateBefore is LieKind.Dissent)).Select(member => member.Elector.Operator).ToHashSet();
        Fault.Unless(Oracle.IsMet(_world.Rule, liars), $"{_name}: a false claim is served that no quorum tells: {all.Sentence}");
    }

    /// <summary>A quorum that tells the truth is served, unless a rival has one too or a veto stands against it.</summary>
    private void CheckHonestQuorum(Answered answered, bool isLater)
    {
        var told = _world.Members.GroupBy(member => member.Elector.Operator, member => member.Expected(isLater)).ToList();
        var sound = told.Where(group => group.Contains(LieKind.Truth) && !group.Contains(LieKind.Dissent)
            && !group.Contains(LieKind.Harmless)).Select(group => group.Key).ToHashSet();
        var dissent = told.Where(group => group.Contains(LieKind.Dissent)).Select(group => group.Key).ToHashSet();
        var isRefusable = _world.Policy.Rest.Dissent is Dissent.Veto ? dissent.Count > 0 : Oracle.IsMet(_world.Rule, dissent);
        if (Oracle.IsMet(_world.Rule, sound) && !isRefusable)
        {
            _census.HonestQuorums++;
            Fault.Unless(answered.Served?.Fingerprint == _scene.Truth,
                $"{_name}: an honest quorum is not served: {answered.Word}, {answered.All.Sentence}");
        }
    }

    /// <summary>In whatever order the ballots come, the verdict is the same, given early or at the end.</summary>
    private void CheckOrder(Verdict all, string word)
    {
        var answers = all.Answers.ToArray();
        Random.Shuffle(answers);
        var soFar = new Dictionary<string, Ballot>();
        Verdict? early = null;
        foreach (var answer in answers)
        {
            soFar.Add(answer.Elector.Name, answer.Ballot);
            if (_world.Policy.TryDecide(_scene.Path, soFar, out early))
            {
                break;
            }
        }

        Fault.Unless(early is not null && early.Outcome.Word() == word && early.Granted == all.Granted,
            $"{_name}: in another order it is {early?.Outcome.Word()}, and not {word}: {all.Sentence}");
    }

    /// <summary>One more vote for what is agreed on changes nothing, unless it splits its operator.</summary>
    private void CheckMoreVotes(Verdict all)
    {
        if (all.Granted is not { } claim || all.Answers.FirstOrDefault(answer => answer.Ballot is not Ballot.Claimed) is not { } silent)
        {
            return;
        }

        var ballots = all.Answers.ToDictionary(answer => answer.Elector.Name, answer => answer.Ballot);
        var isSplit = all.Answers.Any(
            answer => answer.Elector.Operator == silent.Elector.Operator && answer.Ballot is Ballot.Claimed vote && vote.Claim != claim);
        ballots[silent.Elector.Name] = all.Answers.First(answer => answer.Ballot is Ballot.Claimed vote && vote.Claim == claim).Ballot;
        Fault.Unless(isSplit || _world.Policy.Decide(_scene.Path, ballots).Granted == claim,
            $"{_name}: one more vote, of {silent.Elector.Name}, undoes {all.Sentence}");
    }

    /// <summary>What leaves is the claim and our signature; what is kept can be checked by others; and no store can change it.</summary>
    private async Task CheckAnswerAsync(DecisionRecord record, Verdict all)
    {
        var claim = record.Claim!;
        var decision = await _world.Parts.Cache.KeepAsync(_scene.Path.Digest, record, _scene.Path, all);
        Fault.Unless(
            NarInfo.TryParse(decision.Body, out var narInfo, out var error) && narInfo.Fingerprint == claim.Fingerprint
                && narInfo.ContentAddress is null
            && narInfo.Signatures.Count(signature => _world.Key.PublicKey.Verify(claim.Fingerprint, signature)) is 1,
            $"{_name}: the narinfo is not the claim ({error}): {System.Text.Encoding.ASCII.GetString(decision.Body)}");
        Fault.Unless(_scene.IsOffered(claim, record.Hints!.Upstream), $"{_name}: {record.Hints.Upstream} does not have what it is to send");
        var bundle = DecisionBundle.Of(_scene.Path, record, all, _world.Policy).ToBytes();
        Fault.Unless(
            DecisionBundle.TryVerify(bundle, _world.Policy, out _, out _, out var fault), $"{_name}: the bundle does not verify: {fault}");
        _scene.CheckStores(record, _census, _name);
        _scene.CountUpstreamLies(_census);
    }

    /// <summary>A decision that is kept stands while the rules, read aloud over the ballots that are still believed, grant the
    /// same.</summary>
    private void CheckKept(DecisionRecord record)
    {
        var ballots = record.Ballots.Votes.Where(vote => !_scene.IsFrozen(vote.Elector))
            .Select(vote => (_world.Members.Single(member => member.Name == vote.Elector).Elector.Operator,
                (Ballot)new Ballot.Claimed(vote.Claim, new VoteProof.ByLog(0, 1, IsTied: true)))).ToList();
        var (word, claim) = Oracle.Decide(_world.Rule, _world.Policy.Rest.Dissent, ballots);
        var found = _world.Parts.Cache.Find(_scene.Path.Digest);
        Fault.Unless((found is not null) == (claim == record.Claim),
            $"{_name}: the kept decision {(found is null ? "is gone" : "stands")} where the rules say {word}: {record.Sentence}");
    }

    /// <param name="Result">What left.</param>
    /// <param name="All">What all answers came to at the end.</param>
    private sealed record Answered(PollResult Result, Verdict All)
    {
        public OutputClaim? Served => (Result as PollResult.Served)?.Record.Claim;

        public string Word =>
            Result switch
            {
                PollResult.Served served => served.Record.Outcome.Word(),
                PollResult.Refused refused => refused.Outcome.Word(),
                _ =>
            throw new System.Diagnostics.UnreachableException()
            };
    }
}
