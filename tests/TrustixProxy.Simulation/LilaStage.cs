using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Consensus;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Evidence;

namespace TrustixProxy.Simulation;

/// <summary>Rebuilders on lila servers. Some attest the truth; the others or their servers lie, each in its own way.</summary>
/// <remarks>An attestation is a vote only if the rebuilder's key signed it with the size and references that an upstream gives. Another
/// output mostly has another size, so it is no vote; with the same size it is a proven dissent.</remarks>
internal sealed class LilaStage(World world, Census census)
{
    /// <summary>One world of so many has the stage, on average.</summary>
    public const int WorldsPerStage = 6;

    private const int Acts = 8;

    private const string Upstream = "rebuilt-upstream";

    private static readonly Lie[] Lies =
    [
        Lie.RebuilderOtherOutput, Lie.RebuilderFalseClaim, Lie.RebuilderForged, Lie.RebuilderUsurped, Lie.RebuilderLeftOut,
        Lie.RebuilderHtml,
    ];

    private readonly List<Rebuilder> _rebuilders = [];
    private readonly NixSecretKey _usurper = NixSecretKey.FromSeed("usurper-1", world.Bytes(32));
    private readonly SimulatedCache _upstream = new(null);
    private BuildStatement _built = Stage.MakeBuild(world);

    public async Task RunAsync()
    {
        var sound = world.Random.Next(1, 4);
        _rebuilders.AddRange(Enumerable.Range(0, sound).Select(i => Make(Lie.None, $"rebuilder-{i}")));
        _rebuilders.AddRange(Lies.Select(lie => Make(lie, $"{lie}".ToLowerInvariant())));
        world.Network.Caches[Upstream] = _upstream;
        var rule = new Rule(world.Random.Next(1, (2 * sound) + 1), _rebuilders.Select(rebuilder => rebuilder.Name));
        var policy = new Policy(
            _rebuilders.Select(rebuilder => rebuilder.Elector), rule, world.Random.Next(2) is 0 ? Dissent.Veto : Dissent.Outvoted);
        var directory = Stage.MakeDirectory(world, "rebuilders");
        try
        {
            using var parts = new ProxyParts(OptionsIn(directory, policy), NullLogger.Instance, world.Time, world.Network);
            for (var i = 0; i < Acts; i++)
            {
                await PlayAsync(parts, policy);
                await Task.Delay(TimeSpan.FromMinutes(11), world.Time); // breakers close
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
            Stage.Clear(world, [.. _rebuilders.Select(rebuilder => rebuilder.Name), Upstream]);
        }
    }

    private Rebuilder Make(Lie lie, string name)
    {
        var key = NixSecretKey.FromSeed($"{name}-1", world.Bytes(32));
        var rebuilder = new Rebuilder(lie, key, new Elector.Cache(name, name, [key.PublicKey]));
        world.Network.Files[name] = path => path.EndsWith($"{_built.Path}", StringComparison.Ordinal) ? Answer(rebuilder) : null;
        return rebuilder;
    }

    /// <summary>What a rebuilder's server answers about the current path.</summary>
    private byte[]? Answer(Rebuilder rebuilder) => rebuilder.Lie switch
    {
        Lie.RebuilderOtherOutput => Attest(
            _built with { NarHash = OtherHash, NarSize = _built.NarSize + 1 }, rebuilder.Key.Sign, rebuilder.Key.PublicKey.Name),
        Lie.RebuilderFalseClaim => Attest(_built with { NarHash = OtherHash }, rebuilder.Key.Sign, rebuilder.Key.PublicKey.Name),
        Lie.RebuilderForged => Attest(_built, text => rebuilder.Key.Sign(text + "x"), rebuilder.Key.PublicKey.Name),
        Lie.RebuilderUsurped => Attest(_built, _usurper.Sign, rebuilder.Key.PublicKey.Name),
        Lie.RebuilderLeftOut => Attest(_built, _usurper.Sign, _usurper.PublicKey.Name),
        Lie.RebuilderHtml => "<html><body>Maintenance</body></html>"u8.ToArray(),
        _ => Attest(_built, rebuilder.Key.Sign, rebuilder.Key.PublicKey.Name),
    };

    /// <summary>A list with one attestation, under a name that need not be the signer's.</summary>
    private static byte[] Attest(BuildStatement build, Func<string, NixSignature> sign, string name)
    {
        var signature = sign(Stage.FingerprintOf(build)).ToString();
        var renamed = name + signature[signature.IndexOf(':', StringComparison.Ordinal)..];
        return JsonSerializer.SerializeToUtf8Bytes(new[] { new { output_hash = build.NarHash.ToString(), output_sig = renamed } });
    }

    private async Task PlayAsync(ProxyParts parts, Policy policy)
    {
        _built = Stage.MakeBuild(world);
        _upstream.Has = Scene.NarInfoOf(_built);
        foreach (var host in _rebuilders.Select(rebuilder => rebuilder.Name).Append(Upstream))
        {
            world.Network.Latencies[host] = Stage.AnyLatency(world);
        }

        var poll = parts.Electorate.Poll(_built.Path.Digest, World.Deadline, isHasty: false);
        Verdict? all = null;
        await poll.RunAsync([], settlement => all = settlement.All);
        var result = await poll.Result;
        Fault.Unless(all is not null, "the stage of rebuilders: nobody was heard");
        foreach (var (rebuilder, answer) in _rebuilders.Zip(all!.Answers))
        {
            var told = Member.Told(answer.Ballot, Stage.FingerprintOf(_built));
            var expected = rebuilder.Lie is Lie.None ? LieKind.Truth : LieKind.All[rebuilder.Lie].Fate;
            Fault.Unless(
                told == expected, $"the stage of rebuilders: {rebuilder.Name} comes to '{told}', not '{expected}': {all.Sentence}");
            if (rebuilder.Lie is not Lie.None)
            {
                census.Count(rebuilder.Lie, told);
            }
        }

        CheckOutcome(result, all, policy);
    }

    /// <summary>Holds what left against the rules: only a quorum of attestations that are votes is served.</summary>
    private void CheckOutcome(PollResult result, Verdict all, Policy policy)
    {
        var (word, claim) = Oracle.Decide(
            policy.Rest.Rule, policy.Rest.Dissent, [.. all.Answers.Select(answer => (answer.Elector.Operator, answer.Ballot))]);
        var (told, served) = result switch
        {
            PollResult.Served { Record: var record } => (record.Outcome.Word(), record.Claim),
            PollResult.Refused refused => (refused.Outcome.Word(), null),
            _ => throw new System.Diagnostics.UnreachableException(),
        };
        Fault.Unless(
            (told, served) == (word, claim) && (served is null || served.Fingerprint == Stage.FingerprintOf(_built)),
            $"the stage of rebuilders: {told} where the rules say {word}: {all.Sentence}");
    }

    private NixHash OtherHash => NixHash.Sha256(System.Security.Cryptography.SHA256.HashData(_built.Value));

    private SubstituterOptions OptionsIn(string directory, Policy policy) => new()
    {
        StateDirectory = directory,
        SigningKey = world.Key,
        Policy = policy,
        Logs = [],
        Caches = [.. _rebuilders.Select(
            rebuilder => new CacheOptions(rebuilder.Elector, new Uri($"http://{rebuilder.Name}"), CacheProtocol.Lila))],
        Upstreams = [new UpstreamOptions(Upstream, new Uri($"http://{Upstream}"), 0)],
        Deadline = World.Deadline,
    };

    /// <param name="Lie">How it or its server lies.</param>
    private sealed record Rebuilder(Lie Lie, NixSecretKey Key, Elector.Cache Elector)
    {
        public string Name => Elector.Name;
    }
}
