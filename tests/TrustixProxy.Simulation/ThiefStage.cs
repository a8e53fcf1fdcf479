using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Consensus;
using TrustixProxy.Logs.Client;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Substituter.Revocations;
using TrustixProxy.Testing;
using LogSigner = TrustixProxy.TransparencyLog.LogSigner;

namespace TrustixProxy.Simulation;

/// <summary>Thieves of logs' keys after a revocation.</summary>
/// <remarks>One replica, which has seen the logs, revokes them from a size on; another, which has not, hears of it. Then the thieves
/// append, rewrite the history, or have the map point at an old leaf. No vote of theirs counts at either replica.</remarks>
internal sealed class ThiefStage(World world, Census census)
{
    /// <summary>One world of so many has the stage, on average.</summary>
    public const int WorldsPerStage = 6;

    private const int OfEach = 8, Ballast = 12;

    private static readonly Lie[] Lies = [Lie.ThiefAppends, Lie.ThiefRewrites, Lie.ThiefPointsAtOldLeaf];

    private readonly List<Actor> _actors = [];
    private readonly BuildStatement _built = Stage.MakeBuild(world);
    private readonly SimulatedCache _upstream = new(null);

    public async Task RunAsync()
    {
        var sound = world.Random.Next(1, 4);
        _actors.AddRange(Enumerable.Range(0, sound).Select(i => Make(Lie.None, $"sound-{i}", isRevoked: false)));
        _actors.Add(Make(Lie.None, "sound-before", isRevoked: true)); // what it held before it was revoked is heard
        _actors.AddRange(Lies.SelectMany(lie => Enumerable.Range(0, OfEach)
            .Select(i => Make(lie, $"{lie}-{i}".ToLowerInvariant(), isRevoked: true))));
        _upstream.Has = Scene.NarInfoOf(_built);
        world.Network.Caches["stolen-from"] = _upstream;
        var rule = new Rule(world.Random.Next(1, (2 * sound) + 2), _actors.Select(actor => actor.Name));
        var policy = new Policy(_actors.Select(actor => actor.Elector), rule, world.Random.Next(2) is 0 ? Dissent.Veto : Dissent.Outvoted);
        var (seen, unseen) = (Stage.MakeDirectory(world, "seen"), Stage.MakeDirectory(world, "unseen"));
        try
        {
            using var first = new ProxyParts(OptionsIn(seen, policy), NullLogger.Instance, world.Time, world.Network);
            using var second = new ProxyParts(OptionsIn(unseen, policy), NullLogger.Instance, world.Time, world.Network);
            foreach (var actor in _actors)
            {
                var watched = first.Logs.Single(log => log.Name == actor.Name);
                Fault.Unless(await watched.RefreshAsync() is null, $"{NameOf(actor)} is not heard before it is revoked");
                Revoke(actor, first, second);
                Tell(actor);
            }

            await Task.Delay(TimeSpan.FromSeconds(2), world.Time); // till then an absence is believed under the head that is known
            await CheckAsync(first, rule, hasView: true);
            await CheckAsync(second, rule, hasView: false);
        }
        finally
        {
            Directory.Delete(seen, recursive: true);
            Directory.Delete(unseen, recursive: true);
            Stage.Clear(world, [.. _actors.Select(actor => actor.Name), "stolen-from"]);
        }
    }

    /// <summary>Makes a log with some entries. Honest ones hold the true claim; thieves have yet to make theirs.</summary>
    private Actor Make(Lie lie, string name, bool isRevoked)
    {
        var memory = new MemoryLog(new LogSigner(world.Bytes(32)));
        Stage.AddAny(world, memory, world.Random.Next(1, Ballast));
        var elector = new Elector.Log(name, name, memory.Signer.Key, RequiresInclusionProof: lie is not Lie.ThiefPointsAtOldLeaf);
        if (lie is Lie.None)
        {
            memory.Add(elector.KeyOf(_built.Path), _built.Value);
        }

        var size = memory.Head.Content.TreeSize;
        long? since = !isRevoked ? null : lie is Lie.None ? size : world.Random.NextInt64(1, size + 1);
        world.Network.Logs[name] = new SimulatedLog(memory, hasOneCall: world.Random.Next(2) is 0, new Random(world.Random.Next()));
        return new Actor(elector, lie, memory, since);
    }

    /// <summary>Revokes a log at the replica that has seen it. The other hears it as sealed bytes, with the head of the first.</summary>
    private void Revoke(Actor actor, ProxyParts first, ProxyParts second)
    {
        if (actor.Since is not { } since)
        {
            return;
        }

        var (head, subject) = (actor.Memory.Head.Content, new RevokedSubject.Log(actor.Memory.Signer.Key.LogId, since));
        var given = first.Revocations.Give(subject, isUndone: false, "the key was stolen");
        var isTied = given?.Head == new RevokedHead(head.TreeSize, head.LogRoot);
        Fault.Unless(isTied, $"{NameOf(actor)} is revoked without the head that was seen");
        var isHeard = second.Revocations.Hear($"{subject}", given!.Seal(new RecordSeal(world.Key, [])), out _);
        Fault.Unless(isHeard, $"the revocation of {NameOf(actor)} is not heard");
    }

    /// <summary>Lets a thief act. His claim is the true one or another: neither may count.</summary>
    private void Tell(Actor actor)
    {
        var claim = world.Random.Next(2) is 0 ? _built : _built with { NarHash = NixHash.Sha256(world.Bytes(32)) };
        var key = actor.Elector.KeyOf(_built.Path);
        switch (actor.Lie)
        {
            case Lie.None:
                Stage.AddAny(world, actor.Memory, world.Random.Next(4));
                break;
            case Lie.ThiefAppends:
                Stage.AddAny(world, actor.Memory, world.Random.Next(4));
                actor.Memory.Add(key, claim.Value);
                Stage.AddAny(world, actor.Memory, world.Random.Next(4));
                break;
            case Lie.ThiefPointsAtOldLeaf:
                actor.Memory.Add(key, claim.Value, world.Random.NextInt64(actor.Since!.Value));
                world.Network.Logs[actor.Name].Lie = actor.Lie; // it shows no inclusion proofs, which would give it away
                break;
            case Lie.ThiefRewrites:
                var rewritten = new MemoryLog(actor.Memory.Signer);
                Stage.AddAny(world, rewritten, world.Random.Next((int)actor.Since!.Value));
                rewritten.Add(key, claim.Value); // at a leaf that the revocation's number does not cover
                Stage.AddAny(world, rewritten, world.Random.Next(2 * Ballast));
                var before = world.Network.Logs[actor.Name];
                world.Network.Logs[actor.Name] = new SimulatedLog(rewritten, before.HasOneCall, new Random(world.Random.Next()));
                break;
        }
    }

    private async Task CheckAsync(ProxyParts parts, Rule rule, bool hasView)
    {
        _actors.ForEach(actor => world.Network.Latencies[actor.Name] = Stage.AnyLatency(world));
        var deliberation = parts.Electorate.Poll(_built.Path.Digest, World.Deadline, isHasty: true);
        Verdict? all = null;
        await deliberation.RunAsync([_built.Path], settlement => all = settlement.All);
        var (outcome, truth) = (await deliberation.Result, Stage.FingerprintOf(_built));
        foreach (var (actor, answer) in _actors.Zip((all ?? throw new Fault("nobody was heard")).Answers))
        {
            var told = Member.Told(answer.Ballot, truth);
            var isExpected = hasView && actor.Lie is Lie.ThiefRewrites
                ? told is "Frozen" or "HeadOlder" or "HeadInconsistent" // a view refuses it without the revocation
                : told == (actor.Lie is Lie.None ? LieKind.Truth : LieKind.All[actor.Lie].Fate);
            Fault.Unless(isExpected, $"{NameOf(actor)}{(hasView ? " with a view" : "")} comes to '{told}'");
            if (!hasView && actor.Lie is not Lie.None)
            {
                census.Count(actor.Lie, told);
            }
        }

        var isMet = _actors.Count(actor => actor.Lie is Lie.None) >= rule.Quorum;
        var served = (outcome as PollResult.Served)?.Record.Claim?.Fingerprint;
        Fault.Unless(
            served == (isMet ? truth : null),
            $"the stage of thieves: '{served}' is served where the honest quorum is {(isMet ? "met" : "not met")}: {all.Sentence}");
        Fault.Unless(
            isMet || outcome is PollResult.Refused { Outcome: Outcome.Undecided },
            $"the stage of thieves: votes of thieves have made a conflict: {all.Sentence}");
    }

    private SubstituterOptions OptionsIn(string directory, Policy policy) => new()
    {
        StateDirectory = directory,
        SigningKey = world.Key,
        Policy = policy,
        Logs = [.. _actors.Select(actor => new LogOptions(actor.Elector, new Uri($"http://{actor.Name}")))],
        Caches = [],
        Upstreams = [new UpstreamOptions("stolen-from", new Uri("http://stolen-from"), 0)],
        Deadline = World.Deadline,
    };

    private static string NameOf(Actor actor) => $"the stage of thieves: {actor.Name} with the lie {actor.Lie}";

    /// <summary>A log on the stage.</summary>
    /// <param name="Elector">Its voice.</param>
    /// <param name="Lie">How its thief lies; none where it is honest.</param>
    /// <param name="Memory">Its true history.</param>
    /// <param name="Since">The leaf from which on it is revoked; null where it is not.</param>
    private sealed record Actor(Elector.Log Elector, Lie Lie, MemoryLog Memory, long? Since)
    {
        public string Name => Elector.Name;
    }
}
