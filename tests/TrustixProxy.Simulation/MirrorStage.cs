using Google.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Consensus;
using TrustixProxy.Logs.Client;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Publisher;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;
using LogSigner = TrustixProxy.TransparencyLog.LogSigner;

namespace TrustixProxy.Simulation;

/// <summary>Mirrored logs of which each lies in a way that it does not go on after: a stage of its own, so that no other trial has to do
/// with it. One honest log stands beside them.</summary>
internal sealed class MirrorStage(World world, Census census)
{
    /// <summary>One world of so many has the stage, on average.</summary>
    public const int WorldsPerStage = 3;

    private const int OfEach = 3, Ballast = 12;

    private static readonly Lie[] Lies = [Lie.RepeatedKey, Lie.RepeatedEntry, Lie.UnsignedExportHead, Lie.ExportHeadOfNoSize];

    private readonly List<Actor> _actors = [];
    private readonly BuildStatement _built = Stage.MakeBuild(world);

    public async Task RunAsync()
    {
        _actors.Add(Make(Lie.None, 0));
        _actors.AddRange(Lies.SelectMany(lie => Enumerable.Range(1, OfEach).Select(i => Make(lie, i))));
        var directory = Stage.MakeDirectory(world, "mirrors-stage");
        try
        {
            using var parts = new ProxyParts(OptionsIn(directory), NullLogger.Instance, world.Time, world.Network);
            using var register = new LogRegister(OptionsIn(directory).Logs, directory, world.Time);
            foreach (var actor in _actors)
            {
                var (log, mirror) = parts.Mirrors.Single(entry => entry.Log.Name == actor.Name);
                await TellAsync(actor, log);
                await log.RefreshAsync();
                await mirror.FollowAsync(default);
            }

            await CheckAsync(parts, register);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
            Stage.Clear(world, _actors.Select(actor => actor.Name));
        }
    }

    /// <summary>Heads of files are tried one after the other, and each is refused for what it is; then the right one is shown.</summary>
    private async Task TellAsync(Actor actor, WatchedLog log)
    {
        if (actor.Lie is not (Lie.UnsignedExportHead or Lie.ExportHeadOfNoSize))
        {
            return;
        }

        var head = actor.Memory.Head.ToMessage();
        var number = actor.Lie is Lie.UnsignedExportHead ? (ulong)world.Random.NextInt64(1, long.MaxValue)
            : ulong.MaxValue - (ulong)world.Random.NextInt64(1L << 40);
        (head.TreeSize, head.MHTreeSize) = world.Random.Next(
            3) switch
        { 0 => (number, head.MHTreeSize), 1 => (head.TreeSize, number), _ => (number, number) };
        actor.Shown = head;
        var told = $"{await log.RefreshAsync()}";
        Fault.Unless(told == LieKind.All[actor.Lie].Fate, $"the stage of world {world.Number}: {actor.Lie} comes to '{told}'");
        census.Count(actor.Lie, told);
        actor.Shown = null;
    }

    private async Task CheckAsync(ProxyParts parts, LogRegister register)
    {
        var deliberation = parts.Electorate.Poll(_built.Path.Digest, World.Deadline, isHasty: true);
        Verdict? all = null;
        await deliberation.RunAsync([_built.Path], settlement => all = settlement.All);
        await deliberation.Result;
        foreach (var (actor, answer) in _actors.Zip((all ?? throw new Fault("nobody was heard")).Answers))
        {
            var isFrozen = parts.Logs.Single(log => log.Name == actor.Name).IsFrozen;
            var told = isFrozen ? register.List().Single(log => log.Name == actor.Name).State.Split(',')[0]
                .Replace("frozen", "Frozen", StringComparison.Ordinal)
                : Member.Told(answer.Ballot, Stage.FingerprintOf(_built));
            var expected = actor.Lie is Lie.RepeatedKey or Lie.RepeatedEntry ? LieKind.All[actor.Lie].Fate : LieKind.Truth;
            Fault.Unless(told == expected, $"the stage of world {world.Number}: {actor.Name} with the lie {actor.Lie} is to come to "
                + $"'{expected}', and comes to '{told}'");
            if (actor.Lie is Lie.RepeatedKey or Lie.RepeatedEntry)
            {
                census.Count(actor.Lie, told);
            }
        }
    }

    private Actor Make(Lie lie, int number)
    {
        var memory = new MemoryLog(new LogSigner(world.Bytes(32)));
        var actor = new Actor($"{lie.ToString().ToLowerInvariant()}-{number}", lie, memory);
        Enumerable.Range(0, world.Random.Next(1, Ballast)).ToList().ForEach(_ => memory.Add(world.Bytes(20), world.Bytes(20)));
        memory.Add(_built.Key, _built.Value);
        if (lie is Lie.RepeatedKey or Lie.RepeatedEntry)
        {
            var (key, digest) = memory.Leaves[world.Random.Next(memory.Leaves.Count)];
            for (var i = world.Random.Next(1, 20); i > 0; i--)
            {
                memory.Repeat(key, lie is Lie.RepeatedKey ? world.Bytes(20) : memory.Values[digest]);
            }
        }

        if (lie is Lie.UnsignedExportHead or Lie.ExportHeadOfNoSize)
        {
            world.Network.Files[actor.Name] = actor.File;
        }
        else
        {
            world.Network.Logs[actor.Name] = new SimulatedLog(memory, hasOneCall: false, new Random(world.Random.Next()));
        }

        return actor;
    }

    private SubstituterOptions OptionsIn(string directory)
    {
        var electors = _actors.Select(actor => new Elector.Log(actor.Name, actor.Name, actor.Memory.Signer.Key)).ToList();
        return new SubstituterOptions
        {
            StateDirectory = directory,
            SigningKey = world.Key,
            Policy = new Policy(electors),
            Logs = [.. electors.Zip(_actors, (elector, actor) => new LogOptions(
                elector, new Uri($"http://{actor.Name}"), IsMirrored: true,
                    IsExport: actor.Lie is Lie.UnsignedExportHead or Lie.ExportHeadOfNoSize))],
            Caches = [],
            Upstreams = [],
            Deadline = World.Deadline,
            MirrorPollInterval = TimeSpan.FromSeconds(0.5),
        };
    }

    /// <summary>A log on the stage.</summary>
    private sealed record Actor(string Name, Lie Lie, MemoryLog Memory)
    {
        /// <summary>The head that its files have; the true one when null.</summary>
        public LogHead? Shown { get; set; }

        /// <summary>A file of an exported log; what mirrors do not ask of so few entries is not there.</summary>
        public byte[]? File(string name)
        {
            var width = Memory.Leaves.Count;
            return name == ArchiveLayout.Head ? (Shown ?? Memory.Head.ToMessage()).ToByteArray()
                : name == ArchiveLayout.FileName(ArchiveLayout.Entries, 0, width)
                    ? [.. Memory.Leaves.SelectMany(leaf => ArchiveLayout.Encode(leaf.Key, Memory.Values[leaf.ValueDigest]))]
                : null;
        }
    }
}
