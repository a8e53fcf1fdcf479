using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Testing;

namespace TrustixProxy.Simulation;

/// <summary>What stages have in common.</summary>
/// <remarks>A stage is a proxy of its own, with its own policy, logs and caches. It runs after a world's trials.</remarks>
internal static class Stage
{
    /// <summary>Runs the stages that this world has; the world's own random numbers choose them.</summary>
    public static async Task RunAsync(World world, Census census)
    {
        if (world.Random.Next(MirrorStage.WorldsPerStage) is 0)
        {
            await new MirrorStage(world, census).RunAsync();
        }

        if (world.Random.Next(NameStage.WorldsPerStage) is 0)
        {
            await new NameStage(world, census).RunAsync();
        }

        if (world.Random.Next(ThiefStage.WorldsPerStage) is 0)
        {
            await new ThiefStage(world, census).RunAsync();
        }

        if (world.Random.Next(WitnessStage.WorldsPerStage) is 0)
        {
            await new WitnessStage(world, census).RunAsync();
        }

        if (world.Random.Next(LilaStage.WorldsPerStage) is 0)
        {
            await new LilaStage(world, census).RunAsync();
        }
    }

    /// <summary>Makes a directory for a stage's proxy. The stage deletes it.</summary>
    public static string MakeDirectory(World world, string name) =>
        Directory.CreateDirectory(Path.Combine(world.StateDirectory, name)).FullName;

    /// <summary>Describes a build of a new path.</summary>
    public static BuildStatement MakeBuild(World world) =>
        new(MakePath($"{Nix32.Encode(world.Bytes(20))}-staged"), NixHash.Sha256(world.Bytes(32)), 1 + world.Random.Next(1_000_000), []);

    /// <summary>Adds entries of nothing that anyone asks for.</summary>
    public static void AddAny(World world, MemoryLog log, int count)
    {
        for (var i = 0; i < count; i++)
        {
            log.Add(world.Bytes(20), world.Bytes(20));
        }
    }

    public static StorePath MakePath(string text) =>
        StorePath.TryParse(text, out var path, out var error) ? path : throw new InvalidOperationException(error.ToString());

    public static string FingerprintOf(BuildStatement build) => Fingerprint.Format(build.Path, build.NarHash, build.NarSize, []);

    /// <summary>Draws how long a host takes to answer: always well within the deadline.</summary>
    public static TimeSpan AnyLatency(World world) =>
        world.Random.Next(2) is 0 ? TimeSpan.Zero : TimeSpan.FromMilliseconds(world.Random.Next(1, 6));

    /// <summary>Takes the stage's hosts off the network.</summary>
    public static void Clear(World world, IEnumerable<string> hosts)
    {
        foreach (var host in hosts)
        {
            world.Network.Logs.Remove(host);
            world.Network.Files.Remove(host);
            world.Network.Caches.Remove(host);
            world.Network.Latencies.Remove(host);
        }
    }
}
