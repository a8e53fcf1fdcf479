using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using TrustixProxy.Testing;

namespace TrustixProxy.Redis.Chaos;

/// <summary>A path that clients ask for.</summary>
/// <param name="Output">What honest builders made.</param>
/// <param name="IsAgreed">Whether a quorum says so; else one log alone, or one log and another output of another.</param>
/// <param name="Logs">The logs that say so.</param>
/// <param name="Upstreams">The numbers of the upstreams that have it.</param>
internal sealed record Wanted(TestOutput Output, bool IsAgreed, IReadOnlyList<string> Logs, IReadOnlyList<int> Upstreams);

/// <summary>Three replicas, three logs, two upstreams, a Redis behind Sentinels and a bucket in which replicas share NARs; something new is
/// published all the time.</summary>
internal sealed class ChaosLab : IAsyncDisposable
{
    private readonly ReplicaLab _lab;
    private readonly ConcurrentQueue<Wanted> _fresh = new();
    private readonly List<Wanted> _known = [];

    private ChaosLab(ReplicaLab lab, FakeUpstream second, ChaosRedis redis, FakeBucket bucket) =>
        (_lab, Upstreams, Redis, Bucket) = (lab, [lab.Upstream, second], redis, bucket);

    public ChaosRedis Redis { get; }

    public FakeBucket Bucket { get; }

    public IReadOnlyDictionary<string, FakeLog> Logs => _lab.Logs;

    public IReadOnlyList<Replica> Replicas => _lab.Replicas;

    public IReadOnlyList<FakeUpstream> Upstreams { get; }

    public static async Task<ChaosLab> StartAsync()
    {
        var lab = new ChaosLab(await ReplicaLab.StartAsync(replicas: 0, outputs: 0), await FakeUpstream.StartAsync(),
            await ChaosRedis.StartAsync(), await FakeBucket.StartAsync());
        for (var i = 0; i < 100; i++)
        {
            lab._known.Add(lab.Publish(i));
        }

        for (var i = 0; i < 3; i++)
        {
            await lab._lab.AddReplicaAsync(configuration =>
            {
                var state = configuration["stateDirectory"]!.GetValue<string>();
                configuration["deadline"] = "00:00:04";
                configuration["redis"] = new JsonObject
                {
                    ["configuration"] = lab.Redis.Configuration,
                    ["passwordFile"] = ReplicaLab.Secret(state, "redis", ChaosRedis.Password),
                };
                configuration["narStore"] = ReplicaLab.StoreIn(lab.Bucket, state);
                configuration["narStore"]!["maxSize"] = "2MiB"; // most NARs come from the bucket
                configuration["upstreams"]!.AsArray()
                    .Add(new JsonObject { ["name"] = "second", ["url"] = lab.Upstreams[1].Url.ToString(), ["narDeadline"] = "00:00:10" });
            });
        }

        return lab;
    }

    /// <summary>Publishes something each tenth of a second; a path is asked for once a log's head that lacks it is too old to be
    /// believed.</summary>
    public async Task PublishAsync(CancellationToken cancellation)
    {
        var waiting = new Queue<Wanted>();
        for (var i = 100; !cancellation.IsCancellationRequested; i++)
        {
            waiting.Enqueue(Publish(i));
            if (waiting.Count > 30)
            {
                _fresh.Enqueue(waiting.Dequeue());
            }

            await Task.Delay(100, CancellationToken.None);
        }
    }

    /// <summary>What a client asks for next: one time in ten something that nobody has asked for.</summary>
    public Wanted Choose(Random random)
    {
        lock (_known)
        {
            if (random.Next(10) is 0 && _fresh.TryDequeue(out var fresh))
            {
                _known.Add(fresh);
                return fresh;
            }

            return _known[random.Next(Math.Max(0, _known.Count - 300), _known.Count)];
        }
    }

    /// <summary>Whether a narinfo is the one that all replicas have to give.</summary>
    public bool IsRight(Wanted wanted, string text) =>
        wanted.IsAgreed && Nix.NarInfo.TryParse(System.Text.Encoding.ASCII.GetBytes(text), out var narInfo, out _)
            && narInfo.NarHash == wanted.Output.Statement.NarHash
        && narInfo.Signatures.Any(signature => _lab.Key.PublicKey.Verify(narInfo.Fingerprint, signature));

    public async ValueTask DisposeAsync()
    {
        await Upstreams[1].DisposeAsync();
        await _lab.DisposeAsync();
        await Redis.DisposeAsync();
        await Bucket.DisposeAsync();
    }

    /// <summary>What all have; or what all but one have, while he and an upstream say otherwise; or what one log alone says.</summary>
    private Wanted Publish(int number)
    {
        var output = TestOutput.Make($"output-{number}", 20_000);
        var (isAlone, isDisputed) = (number % 10 is 7, number % 10 is 3);
        var other = isDisputed ? output.Forge() : output;
        Upstreams[number % 2].Add(output);
        Upstreams[1 - (number % 2)].Add(other);
        foreach (var (name, log) in Logs)
        {
            if (!isAlone || name is "bob")
            {
                log.Publish((isDisputed && name is "carol" ? other : output).Statement);
            }
        }

        return new Wanted(output, !isAlone, [.. Logs.Keys.Where(name => !isDisputed || name is not "carol")],
            isDisputed ? [number % 2] : [0, 1]);
    }
}
