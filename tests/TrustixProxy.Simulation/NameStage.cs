using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Consensus;
using TrustixProxy.Logs.Client;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Testing;
using LogSigner = TrustixProxy.TransparencyLog.LogSigner;

namespace TrustixProxy.Simulation;

/// <summary>Two names for one digest. A quorum agrees on the true name; a rogue upstream offers another.</summary>
/// <remarks>A minority of logs vouches for the other name. Where it is too small for that name's rule, the true name is served.
/// Where a looser rule grants the other name too, both are refused.</remarks>
internal sealed class NameStage
{
    /// <summary>One world of so many has the stage, on average.</summary>
    public const int WorldsPerStage = 4;

    private const int OfEach = 6;
    private const string Sound = "named-true", Rogue = "named-other";

    private readonly World _world;
    private readonly Census _census;
    private readonly Policy _policy;
    private readonly List<Elector.Log> _electors = [];
    private readonly List<MemoryLog> _logs = [];
    private readonly SimulatedCache _sound = new(null), _rogue = new(null);

    /// <summary>How many logs vouch for the other name.</summary>
    private readonly int _liars;

    public NameStage(World world, Census census)
    {
        (_world, _census) = (world, census);
        var count = Random.Next(3, 6);
        var quorum = Random.Next(2, count);
        _liars = Random.Next(1, Math.Min(count - quorum, quorum - 1) + 1); // without them there is a quorum, and they are none
        for (var i = 0; i < count; i++)
        {
            var memory = new MemoryLog(new LogSigner(world.Bytes(32)));
            memory.Add(world.Bytes(20), world.Bytes(20));
            _logs.Add(memory);
            _electors.Add(new Elector.Log($"named-{i}", $"named-{i}", memory.Signer.Key, RequiresInclusionProof: Random.Next(2) is 0));
        }

        var operators = _electors.Select(elector => elector.Operator).ToList();
        _policy = new Policy(_electors, new Rule(quorum, operators), Random.Next(2) is 0 ? Dissent.Veto : Dissent.Outvoted)
        {
            Scopes =
            [
                new Scope("*-loose", new Rule(Random.Next(1, _liars + 1), operators), Dissent.Outvoted),
                new Scope("*-narrow", new Rule(Random.Next(_liars + 1, count + 1), operators), Dissent.Outvoted),
            ],
        };
    }

    private Random Random => _world.Random;

    public async Task RunAsync()
    {
        var lies = new[] { Lie.SecondName, Lie.SecondNameGranted };
        var acts = lies.SelectMany(lie => Enumerable.Range(0, OfEach).Select(_ => MakeAct(lie))).ToList();
        var directory = Stage.MakeDirectory(_world, "names");
        for (var i = 0; i < _logs.Count; i++)
        {
            _world.Network.Logs[_electors[i].Name] = new SimulatedLog(_logs[i], Random.Next(2) is 0, new Random(Random.Next()));
        }

        (_world.Network.Caches[Sound], _world.Network.Caches[Rogue]) = (_sound, _rogue);
        try
        {
            using var parts = new ProxyParts(OptionsIn(directory), NullLogger.Instance, _world.Time, _world.Network);
            foreach (var act in acts)
            {
                await PlayAsync(act, parts);
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
            Stage.Clear(_world, [.. _electors.Select(elector => elector.Name), Sound, Rogue]);
        }
    }

    /// <summary>Publishes both names. A liar may vouch for the true name as well.</summary>
    private Act MakeAct(Lie lie)
    {
        var built = Stage.MakeBuild(_world);
        var ending = lie is Lie.SecondNameGranted ? "loose" : Random.Next(2) is 0 ? "narrow" : "other";
        var other = built with
        {
            Path = Stage.MakePath($"{built.Path.Digest}-second-{ending}"),
            NarHash = Random.Next(2) is 0 ? built.NarHash : NixHash.Sha256(_world.Bytes(32)),
        };
        for (var i = 0; i < _logs.Count; i++)
        {
            if (i < _liars)
            {
                _logs[i].Add(_electors[i].KeyOf(other.Path), other.Value);
            }

            if (i >= _liars || Random.Next(2) is 0)
            {
                _logs[i].Add(_electors[i].KeyOf(built.Path), built.Value);
            }
        }

        return new Act(lie, built, other);
    }

    private async Task PlayAsync(Act act, ProxyParts parts)
    {
        (_sound.Has, _rogue.Has) = (Scene.NarInfoOf(act.Built), Scene.NarInfoOf(act.Other));
        DrawLatencies();
        var isKnown = Random.Next(2) is 0;
        CheckFirst(act, await AskAsync(act, parts, isKnown ? [act.Built.Path] : []));
        DrawLatencies();
        StorePath[] both = Random.Next(2) is 0 ? [act.Built.Path, act.Other.Path] : [act.Other.Path, act.Built.Path];
        var told = FateOf(act, (await AskAsync(act, parts, both)).Result);
        Fault.Unless(told == LieKind.All[act.Lie].Fate, $"{NameOf(act)} comes to '{told}' where both names are known");
        _census.Count(act.Lie, told);
        DrawLatencies();
        await CheckKeptAsync(act, parts);
    }

    /// <summary>Holds the first answer against the rules. Before all upstreams have spoken, one of two granted names may leave.
    /// Then the other contests it.</summary>
    private static void CheckFirst(Act act, (PollResult Result, Settlement? Settlement) first)
    {
        var told = FateOf(act, first.Result);
        if (act.Lie is Lie.SecondName)
        {
            var granted = first.Settlement is { Contesting.IsEmpty: true, All.Granted: { } claim } ? claim.Fingerprint : null;
            Fault.Unless(
                told is LieKind.Truth && granted == Stage.FingerprintOf(act.Built),
                $"{NameOf(act)} comes to '{told}', and is contested by {first.Settlement?.Contesting.Length}");
        }
        else if (first.Result is PollResult.Served { Record.Claim: { } served })
        {
            var rival = served.Path == act.Built.Path ? act.Other.Path : act.Built.Path;
            Fault.Unless(
                first.Settlement is { Contesting: [var contesting] } && contesting == rival,
                $"{NameOf(act)}: {served.Path} is served, and {rival} does not contest it");
        }
        else
        {
            Fault.Unless(told == LieKind.All[act.Lie].Fate, $"{NameOf(act)} comes to '{told}'");
        }
    }

    /// <summary>Decides as for a request, and looks at what the proxy keeps once all have spoken: the true name, and never one of two
    /// granted ones.</summary>
    private async Task CheckKeptAsync(Act act, ProxyParts parts)
    {
        await parts.Decider.DecideAheadAsync(act.Built.Path.Digest, 0, default);
        await Task.Delay(World.Deadline, _world.Time);
        var kept = parts.Cache.Find(act.Built.Path.Digest)?.Record.Claim?.Fingerprint;
        var isRight = act.Lie is Lie.SecondName ? kept == Stage.FingerprintOf(act.Built) : kept is null;
        Fault.Unless(isRight, $"{NameOf(act)}: the decision that is kept is '{kept}'");
    }

    private static async Task<(PollResult Result, Settlement? Settlement)> AskAsync(Act act, ProxyParts parts, StorePath[] names)
    {
        Settlement? settlement = null;
        var deliberation = parts.Electorate.Poll(act.Built.Path.Digest, World.Deadline, isHasty: false);
        await deliberation.RunAsync(names, settled => settlement = settled);
        return (await deliberation.Result, settlement);
    }

    private void DrawLatencies()
    {
        foreach (var host in _electors.Select(elector => elector.Name).Append(Sound).Append(Rogue))
        {
            _world.Network.Latencies[host] = Stage.AnyLatency(_world);
        }
    }

    private SubstituterOptions OptionsIn(string directory) => new()
    {
        StateDirectory = directory,
        SigningKey = _world.Key,
        Policy = _policy,
        Logs = [.. _electors.Select(elector => new LogOptions(elector, new Uri($"http://{elector.Name}")))],
        Caches = [],
        Upstreams = [.. new[] { Sound, Rogue }.Select(name => new UpstreamOptions(name, new Uri($"http://{name}"), Random.Next(2)))],
        Deadline = World.Deadline,
    };

    /// <summary>Says what became of the second name. Only a conflict of names counts as one, and no other conflict.</summary>
    private static string FateOf(Act act, PollResult result) => result switch
    {
        PollResult.Served { Record.Claim: { } claim } =>
            claim.Fingerprint == Stage.FingerprintOf(act.Built) ? LieKind.Truth : $"{claim.Path} is served",
        PollResult.Refused { Outcome: Outcome.Conflict } refused
            when refused.Sentence.StartsWith("2 names of one digest are granted: ", StringComparison.Ordinal)
            && refused.Sentence.Contains($"{act.Built.Path} (", StringComparison.Ordinal)
            && refused.Sentence.Contains($"{act.Other.Path} (", StringComparison.Ordinal) => LieKind.NameConflict,
        PollResult.Refused refused => $"{refused.Outcome.Word()}: {refused.Sentence}",
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    private static string NameOf(Act act) => $"the stage of names: {act.Lie} with {act.Other.Path}";

    /// <param name="Lie">The lie.</param>
    /// <param name="Built">What was built, under its true name.</param>
    /// <param name="Other">What the liars say was built under another name of the digest.</param>
    private sealed record Act(Lie Lie, BuildStatement Built, BuildStatement Other);
}
