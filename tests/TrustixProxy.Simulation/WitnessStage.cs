using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Consensus;
using TrustixProxy.Logs.Client;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog.Notes;
using LogSigner = TrustixProxy.TransparencyLog.LogSigner;

namespace TrustixProxy.Simulation;

/// <summary>Logs whose heads witnesses must have seen; witnesses that lie, sign late or disappear; and logs that hide a history from
/// them.</summary>
/// <remarks>The policy bears one lying witness. Whatever the rest do, a log without its quorum has no vote and is not frozen. Two proxies
/// are shown the two sides of a split: neither counts it, and the first is frozen out once it hears of the second.</remarks>
internal sealed class WitnessStage
{
    /// <summary>One world of so many has the stage, on average.</summary>
    public const int WorldsPerStage = 6;

    private const int OfEach = 8, Ballast = 12;
    private const string Upstream = "witnessed-nars";

    private static readonly Lie[] Lies = [.. Enum.GetValues<Lie>().Where(lie => lie is >= Lie.WitnessForges and <= Lie.NoCheckpoint)];

    private readonly World _world;
    private readonly Census _census;
    private readonly BuildStatement _built;
    private readonly TestWitness[] _witnesses;
    private readonly int _quorum;
    private readonly WitnessPolicy _demanded;
    private readonly List<WitnessedActor> _actors = [];

    public WitnessStage(World world, Census census)
    {
        (_world, _census, _built) = (world, census, Stage.MakeBuild(world));
        var count = world.Random.Next(4, 7);
        _witnesses = [.. Enumerable.Range(1, count).Select(i => new TestWitness($"w{i}", (byte)i))];
        _quorum = (count / 2) + 1 + (count % 2); // two quorums share at least two witnesses, so one may lie
        var text = $"{string.Concat(_witnesses.Select(witness => witness.Line))}"
            + $"group q {_quorum} {string.Join(' ', _witnesses.Select(witness => witness.Name))}\nquorum q\n";
        Fault.Unless(
            WitnessPolicy.TryParse(System.Text.Encoding.UTF8.GetBytes(text), mustDemand: true, out var policy, out _)
                && policy.LiarsBorne >= 1, "the stage of witnesses has a policy that bears no liar");
        _demanded = policy!;
    }

    private Random Random => _world.Random;

    public async Task RunAsync()
    {
        var sound = Random.Next(1, 4);
        _actors.AddRange(Enumerable.Range(0, sound).Select(i => Make(Lie.None, $"seen-{i}")));
        _actors.AddRange(Lies.SelectMany(lie => Enumerable.Range(0, OfEach).Select(i => Make(lie, $"{lie}-{i}".ToLowerInvariant()))));
        _world.Network.Caches[Upstream] = new SimulatedCache(null) { Has = Scene.NarInfoOf(_built) };
        var rule = new Rule(Random.Next(1, sound + OfEach + 3), _actors.Select(actor => actor.Name));
        var policy = new Policy(_actors.Select(actor => actor.Elector), rule, Random.Next(2) is 0 ? Dissent.Veto : Dissent.Outvoted);
        var (left, right) = (Stage.MakeDirectory(_world, "left"), Stage.MakeDirectory(_world, "right"));
        try
        {
            using var first = new ProxyParts(OptionsIn(left, policy), NullLogger.Instance, _world.Time, _world.Network);
            using var second = new ProxyParts(OptionsIn(right, policy), NullLogger.Instance, _world.Time, _world.Network);
            Show(isLeft: true);
            await CheckAsync(first, rule, isCounted: true);
            Show(isLeft: false);
            await CheckAsync(second, rule, isCounted: false);
            await GossipAsync(first);
            await HealAsync(second);
        }
        finally
        {
            Directory.Delete(left, recursive: true);
            Directory.Delete(right, recursive: true);
            Stage.Clear(_world, [.. _actors.Select(actor => actor.Name), Upstream]);
        }
    }

    /// <summary>Makes a log. One that splits has two histories of one size; the others have one.</summary>
    private WitnessedActor Make(Lie lie, string name)
    {
        var left = new MemoryLog(new LogSigner(_world.Bytes(32)));
        var right = lie is Lie.SplitBelowQuorum or Lie.WitnessSignsTwice or Lie.PrivateHistory ? new MemoryLog(left.Signer) : left;
        var demand = new WitnessDemand($"{name}.example/nix", left.Signer.Key, _demanded, WitnessedActor.Within);
        var elector = new Elector.Log(name, name, left.Signer.Key) { Witnesses = demand };
        var (before, after) = (Random.Next(1, Ballast), Random.Next(Ballast));
        var order = _witnesses.OrderBy(_ => Random.Next()).ToArray();
        var actor = new WitnessedActor(elector, lie, left, right, order, _quorum, new Random(Random.Next()));
        foreach (var log in new[] { left, right }.Distinct())
        {
            Stage.AddAny(_world, log, before);
            log.Add(elector.KeyOf(_built.Path), ClaimOf(lie, log == left).Value);
            Stage.AddAny(_world, log, after);
        }

        return actor;
    }

    /// <summary>Whoever hides a history says in it what he likes.</summary>
    private BuildStatement ClaimOf(Lie lie, bool isLeft) =>
        lie is Lie.None or Lie.FewWitnessesGone || (isLeft && Random.Next(2) is 0) ? _built
            : _built with { NarHash = NixHash.Sha256(_world.Bytes(32)) };

    /// <summary>Puts one side of each log on the network.</summary>
    private void Show(bool isLeft) => _actors.ForEach(actor =>
    {
        var side = isLeft ? actor.Left : actor.Right;
        var log = new SimulatedLog(side, Random.Next(2) is 0, new Random(Random.Next()))
        {
            CheckpointOf = actor.Lie is Lie.NoCheckpoint ? null
                : isMapHeads => actor.CheckpointOf(isMapHeads, isLeft, _world.Time.GetUtcNow()),
        };
        _world.Network.Logs[actor.Name] = log;
        _world.Network.Latencies[actor.Name] = Stage.AnyLatency(_world);
    });

    private async Task CheckAsync(ProxyParts parts, Rule rule, bool isCounted)
    {
        var (all, result) = await PollAsync(parts);
        var honest = 0;
        foreach (var (actor, answer) in _actors.Zip(all.Answers))
        {
            var watched = parts.Logs.Single(log => log.Name == actor.Name);
            var told = Member.Told(answer.Ballot, Stage.FingerprintOf(_built));
            told = told is "Unwitnessed" ? $"Unwitnessed: {await ReasonOfAsync(watched)}" : told;
            var expected = actor.Lie is Lie.None ? LieKind.Truth : LieKind.All[actor.Lie].Fate;
            Fault.Unless(told == expected, $"{NameOf(actor)} is to come to '{expected}', and comes to '{told}'");
            Fault.Unless(!watched.IsFrozen, $"{NameOf(actor)} is frozen for what witnesses may have done");
            Fault.Unless(expected is LieKind.Truth == (watched.Witnesses!.Gap is null), $"{NameOf(actor)} is not named for what it is");
            honest += told is LieKind.Truth ? 1 : 0;
            if (isCounted && actor.Lie is not Lie.None)
            {
                _census.Count(actor.Lie, told);
            }
        }

        var served = (result as PollResult.Served)?.Record.Claim?.Fingerprint;
        Fault.Unless(
            served == (honest >= rule.Quorum ? Stage.FingerprintOf(_built) : null),
            $"the stage of witnesses in world {_world.Number}: '{served}' is served where {honest} witnessed logs vouch: {all.Sentence}");
    }

    /// <summary>The first proxy hears of the heads that the second was shown: two of one size are a split view.</summary>
    private async Task GossipAsync(ProxyParts parts)
    {
        foreach (var actor in _actors)
        {
            var watched = parts.Logs.Single(log => log.Name == actor.Name);
            await watched.HearAsync(actor.Right.Head, "peer");
            Fault.Unless(watched.IsFrozen == (actor.Left != actor.Right), $"{NameOf(actor)} is {(watched.IsFrozen ? "" : "not ")}frozen");
        }
    }

    /// <summary>Once the witnesses have done their work, the second proxy counts every log of one history again.</summary>
    private async Task HealAsync(ProxyParts parts)
    {
        _actors.ForEach(actor => actor.IsHealed = true);
        await Task.Delay(TimeSpan.FromSeconds(3), _world.Time); // till then nobody is asked for a checkpoint again
        var (all, _) = await PollAsync(parts);
        foreach (var (actor, answer) in _actors.Zip(all.Answers).Where(item => item.First.Lie is not Lie.NoCheckpoint))
        {
            Fault.Unless(answer.Ballot is Ballot.Claimed, $"{NameOf(actor)} has no vote though its head is cosigned: {all.Sentence}");
        }
    }

    private async Task<(Verdict All, PollResult Result)> PollAsync(ProxyParts parts)
    {
        var deliberation = parts.Electorate.Poll(_built.Path.Digest, World.Deadline, isHasty: true);
        Verdict? all = null;
        await deliberation.RunAsync([_built.Path], settlement => all = settlement.All);
        var result = await deliberation.Result;
        return (all ?? throw new Fault("nobody was heard"), result);
    }

    private static async Task<string> ReasonOfAsync(WatchedLog log) =>
        await log.Witnesses!.VerifyAsync(log.Head!.Content, CancellationToken.None) switch
        {
            CheckpointVerdict.Unwitnessed { Reason: var reason } => reason.ToString(),
            CheckpointVerdict.Refused { Error: var error } => error.ToString(),
            _ => "witnessed",
        };

    private SubstituterOptions OptionsIn(string directory, Policy policy) => new()
    {
        StateDirectory = directory,
        SigningKey = _world.Key,
        Policy = policy,
        Logs = [.. _actors.Select(actor => new LogOptions(actor.Elector, new Uri($"http://{actor.Name}")))],
        Caches = [],
        Upstreams = [new UpstreamOptions(Upstream, new Uri($"http://{Upstream}"), 0)],
        Deadline = World.Deadline,
    };

    private string NameOf(WitnessedActor actor) => $"the stage of witnesses in world {_world.Number}: {actor.Name}";
}
