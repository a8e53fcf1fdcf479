using System.Collections.Immutable;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Consensus;
using TrustixProxy.Logs.Client;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Simulation;

/// <summary>One electorate under one policy, and the proxy that asks it. All of it follows from the seed and the world's number.</summary>
internal sealed class World : IDisposable
{
    /// <summary>How many decisions are made in a world.</summary>
    public const int Trials = 64;

    private const int Ballast = 3;

    private readonly SubstituterOptions _options;
    private ProxyParts _parts;

    /// <param name="seed">The run's seed.</param>
    /// <param name="number">Which of its worlds.</param>
    /// <param name="directory">Where its proxy keeps its state; made, and deleted at the end.</param>
    public World(int seed, int number, string directory)
    {
        (Seed, Number, Random) = (seed, number, new Random(unchecked((seed * 1_000_003) + number)));
        Network = new SimulatedNetwork(Time);
        Upstreams = [new SimulatedCache(null), new SimulatedCache(null)];
        Members = MakeMembers();
        for (var i = 0; i < Upstreams.Count; i++)
        {
            Network.Caches[$"u{i}"] = Upstreams[i];
        }

        Key = NixSecretKey.FromSeed("proxy-1", Bytes(32));
        var policy = MakePolicy();
        _options = new SubstituterOptions
        {
            StateDirectory = Directory.CreateDirectory(directory).FullName,
            SigningKey = Key,
            Policy = policy,
            Logs = [.. Members.Where(member => member.Log is not null)
                .Select(member => new LogOptions((Elector.Log)member.Elector, new Uri($"http://{member.Name}"), member.IsMirrored))],
            Caches = [.. Members.Where(member => member.Cache is not null)
                .Select(member => new CacheOptions((Elector.Cache)member.Elector, new Uri($"http://{member.Name}")))],
            Upstreams = [.. Upstreams.Select((_, i) => new UpstreamOptions($"u{i}", new Uri($"http://u{i}"), i))],
            Deadline = Deadline,
            DecisionMemory = 1 << 20,
            MirrorPollInterval = TimeSpan.FromSeconds(0.5),
        };
        _parts = Start();
        Gossip = new Gossip(_parts.Logs);
        Register = new LogRegister(_options.Logs, _options.StateDirectory, Time);
    }

    /// <summary>How long the proxy waits for answers, in virtual time.</summary>
    public static TimeSpan Deadline { get; } = TimeSpan.FromMilliseconds(60);

    public int Seed { get; }

    public int Number { get; }

    public Random Random { get; }

    public VirtualTime Time { get; } = new();

    public SimulatedNetwork Network { get; }

    public IReadOnlyList<Member> Members { get; }

    public IReadOnlyList<SimulatedCache> Upstreams { get; }

    public NixSecretKey Key { get; }

    public Policy Policy => _options.Policy;

    public string StateDirectory => _options.StateDirectory;

    public ProxyParts Parts => _parts;

    public Gossip Gossip { get; private set; }

    public LogRegister Register { get; }

    /// <summary>How many of the electorate's operators have to be sound for the quorum to be honest.</summary>
    public Rule Rule => Policy.Rest.Rule;

    public WatchedLog Watched(Member member) => _parts.Logs.Single(log => log.Key == ((Elector.Log)member.Elector).Key);

    /// <summary>Brings the mirrors to what their logs show them now.</summary>
    public async Task FollowAsync()
    {
        foreach (var (log, mirror) in _parts.Mirrors)
        {
            await log.RefreshAsync();
            await mirror.FollowAsync(default);
        }
    }

    public byte[] Bytes(int count)
    {
        var bytes = new byte[count];
        Random.NextBytes(bytes);
        return bytes;
    }

    public Digest AnyDigest() => new(Bytes(Digest.Size));

    /// <summary>Makes its decisions, one after the other; in between the proxy is started again once.</summary>
    public async Task RunAsync(Census census)
    {
        foreach (var log in _parts.Logs)
        {
            await log.RefreshAsync();
        }

        await FollowAsync();
        await Task.Delay(TimeSpan.FromSeconds(2), Time); // till then an absence is believed under that head
        var kept = new List<(StorePathDigest Digest, NixHash NarHash)>();
        for (var i = 0; i < Trials; i++)
        {
            if (i is Trials / 2)
            {
                Restart(kept);
            }

            var trial = new Trial(this, census, i);
            await trial.RunAsync();
            if (trial.Kept is { } claim)
            {
                kept.Add((claim.Path.Digest, claim.NarHash));
            }

            await Task.Delay(TimeSpan.FromMinutes(11), Time); // breakers close, and a lookup that failed is tried again
        }

        await Stage.RunAsync(this, census);
    }

    public void Dispose()
    {
        Register.Dispose();
        _parts.Dispose();
        Network.Dispose();
        Directory.Delete(_options.StateDirectory, recursive: true);
    }

    /// <summary>Starts the proxy anew over the same state: it is held to the same views, and answers what it has decided.</summary>
    private void Restart(List<(StorePathDigest Digest, NixHash NarHash)> kept)
    {
        var before = _parts.Logs.Select(log => log.Head?.Content).ToList();
        _parts.Dispose();
        _parts = Start();
        Gossip = new Gossip(_parts.Logs);
        Fault.Unless(before.SequenceEqual(_parts.Logs.Select(log => log.Head?.Content)), "a restart has lost a view");
        foreach (var (digest, narHash) in kept.TakeLast(4))
        {
            Fault.Unless(_parts.Cache.Find(digest) is { Record.Claim: { } claim } && claim.NarHash == narHash,
                $"after a restart the decision on {digest} is another one");
        }
    }

    private ProxyParts Start() => new(_options, NullLogger.Instance, Time, Network);

    private ImmutableArray<Member> MakeMembers()
    {
        var members = ImmutableArray.CreateBuilder<Member>();
        var operators = 1 + Math.Min(Random.Next(5), Random.Next(6)); // 1 to 5, fewer rather than many
        var rogues = Enumerable.Range(0, operators).OrderBy(_ => Random.Next()).Take(Random.Next(0, operators)).ToHashSet();
        for (var i = 0; i < operators; i++)
        {
            for (var j = Random.Next(4) is 0 ? 2 : 1; j > 0; j--)
            {
                members.Add(MakeMember($"e{members.Count}", $"o{i}", rogues.Contains(i)));
            }
        }

        foreach (var member in members.Where(member => member.Log is not null))
        {
            member.Log!.Other = members.FirstOrDefault(other => other.Log is not null && other != member)?.Log;
        }

        return members.ToImmutable();
    }

    private Member MakeMember(string name, string owner, bool isRogue)
    {
        if (Random.Next(5) is 0)
        {
            var key = NixSecretKey.FromSeed($"{name}-1", Bytes(32));
            var cache = new SimulatedCache(key);
            Network.Caches[name] = cache;
            return new Member(new Elector.Cache(name, owner, [key.PublicKey]), null, cache) { IsRogue = isRogue };
        }

        var memory = new MemoryLog(new LogSigner(Bytes(32)));
        for (var i = 0; i < Ballast; i++)
        {
            memory.Add(Bytes(20), Bytes(20));
        }

        var (isMirrored, hasOneCall) = (Random.Next(5) is 0, Random.Next(3) > 0);
        // how often it is asked must not change what else is drawn
        var log = new SimulatedLog(memory, hasOneCall && !isMirrored, new Random(Random.Next()));
        Network.Logs[name] = log;
        var form = Random.Next(5) is 0 ? LogKeyForm.ReferenceProxy : LogKeyForm.StorePath;
        return new Member(new Elector.Log(name, owner, memory.Signer.Key, form, RequiresInclusionProof: Random.Next(4) > 0), log,
            null)
        { IsRogue = isRogue, IsMirrored = isMirrored };
    }

    /// <summary>A quorum that the sound operators can reach without the rogue ones: at most N − M lie. Sometimes with a group.</summary>
    private Policy MakePolicy()
    {
        var operators = Members.Select(member => member.Elector.Operator).Distinct().ToList();
        var sound = Members.Where(member => !member.IsRogue).Select(member => member.Elector.Operator).Distinct().Count();
        var quorum = Random.Next(1, sound + 1);
        var rule = operators.Count > 3 && Random.Next(4) is 0
            ? new Rule(Math.Min(quorum, operators.Count - 1), [.. operators.Skip(2)], [new Rule(1, operators.Take(2))])
            : new Rule(quorum, operators);
        return new Policy(Members.Select(member => member.Elector), rule, Random.Next(3) is 0 ? Dissent.Veto : Dissent.Outvoted);
    }
}

/// <summary>What must never be, and is.</summary>
internal sealed class Fault(string message) : Exception(message)
{
    public static void Unless(bool holds, string message)
    {
        if (!holds)
        {
            throw new Fault(message);
        }
    }
}
