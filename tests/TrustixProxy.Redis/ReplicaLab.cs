using System.Net;
using System.Text;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Redis;

/// <summary>A Redis, three logs, an upstream, and replicas of the proxy as processes of their own that share one signing key.</summary>
internal sealed class ReplicaLab : IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("trustix-replicas-").FullName;
    private readonly Dictionary<string, FakeLog> _logs = [];
    private readonly List<Replica> _replicas = [];

    private ReplicaLab(RedisServer redis, FakeUpstream upstream) => (Redis, Upstream) = (redis, upstream);

    public RedisServer Redis { get; }

    public FakeUpstream Upstream { get; }

    public NixSecretKey Key { get; } = NixSecretKey.Generate("replicas-1");

    public IReadOnlyDictionary<string, FakeLog> Logs => _logs;

    public IReadOnlyList<Replica> Replicas => _replicas;

    /// <summary>What all logs had before the replicas started: an absence is believed under a head of the last second.</summary>
    public IReadOnlyList<TestOutput> Outputs { get; private set; } = [];

    public static async Task<ReplicaLab> StartAsync(int replicas = 2, int outputs = 2)
    {
        var lab = new ReplicaLab(await RedisServer.StartAsync(), await FakeUpstream.StartAsync());
        foreach (var name in new[] { "alice", "bob", "carol" })
        {
            lab._logs.Add(name, await FakeLog.StartAsync());
        }

        lab.Outputs = [.. Enumerable.Range(0, outputs).Select(i => lab.Publish($"output-{i}"))];
        await Task.WhenAll(Enumerable.Range(0, replicas).Select(_ => lab.AddReplicaAsync()));
        return lab;
    }

    /// <summary>Another replica, started.</summary>
    /// <param name="change">What is changed of its configuration.</param>
    /// <param name="key">Its signing key, if it is another one.</param>
    /// <param name="until">What it says once it is ready.</param>
    public async Task<Replica> AddReplicaAsync(
        Action<System.Text.Json.Nodes.JsonObject>? change = null, NixSecretKey? key = null, string until = "Connected to Redis")
    {
        var state = Directory.CreateDirectory(Path.Combine(_directory, $"replica-{Guid.NewGuid():n}")).FullName;
        var keyFile = Path.Combine(state, "signing.key");
        await File.WriteAllTextAsync(keyFile, (key ?? Key).Export());
        var configuration = System.Text.Json.JsonSerializer.SerializeToNode(new
        {
            listen = new[] { "http://127.0.0.1:0" },
            operations = new { listen = Array.Empty<string>() },
            stateDirectory = state,
            signingKeyFile = keyFile,
            upstreams = new[] { new { name = "main", url = Upstream.Url, narDeadline = "00:00:10" } },
            logs = _logs.Select(log => new { name = log.Key, url = log.Value.Url, publicKey = log.Value.Log.Signer.Key.ToString() }),
            policy = new { quorum = 2 },
            redis = new { configuration = $"127.0.0.1:{Redis.Port}" },
        })!.AsObject();
        change?.Invoke(configuration);
        var replica = new Replica(state, configuration, key ?? Key);
        await replica.StartAsync();
        await UntilAsync(() => replica.Lines.Contains(until, StringComparison.Ordinal), 30);
        lock (_replicas)
        {
            _replicas.Add(replica);
        }

        return replica;
    }

    /// <summary>How often a log was asked for a path.</summary>
    public int Questions(string log) => _logs[log].Calls.Count(call => call is "GetMapValue");

    /// <summary>The <c>narStore</c> of a replica that shares NARs in a bucket.</summary>
    /// <param name="state">The replica's state directory.</param>
    public static System.Text.Json.Nodes.JsonObject StoreIn(FakeBucket bucket, string state) => new()
    {
        ["directory"] = Path.Combine(state, "nars"),
        ["s3"] = new System.Text.Json.Nodes.JsonObject
        {
            ["url"] = bucket.Url.ToString(),
            ["bucket"] = FakeBucket.Name,
            ["region"] = FakeBucket.Region,
            ["credentialsFile"] = Secret(state, "bucket", bucket.Key is var (id, secret, _)
                ? $"[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n" : ""),
        },
    };

    /// <summary>Writes a file for its owner's eyes only.</summary>
    public static string Secret(string folder, string name, string text)
    {
        var file = Path.Combine(folder, name);
        File.WriteAllText(file, text);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return file;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in _replicas)
        {
            await replica.DisposeAsync();
        }

        foreach (var log in _logs.Values)
        {
            await log.DisposeAsync();
        }

        await Upstream.DisposeAsync();
        await Redis.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    /// <summary>An output that all three logs have, and the upstream serves.</summary>
    private TestOutput Publish(string name)
    {
        var output = TestOutput.Make(name);
        Upstream.Add(output);
        foreach (var log in _logs.Values)
        {
            log.Publish(output.Statement);
        }

        return output;
    }
}

/// <summary>What a replica answered.</summary>
internal sealed record Reply(HttpStatusCode Status, string? Decision, string Text);

/// <summary>One replica: a process that can be killed and started again over its state.</summary>
internal sealed class Replica(string state, System.Text.Json.Nodes.JsonObject configuration, NixSecretKey key) : IAsyncDisposable
{
    private static readonly HttpClient Client = new(
        new SocketsHttpHandler { AllowAutoRedirect = false, AutomaticDecompression = DecompressionMethods.None });
    private readonly List<string> _said = [];
    private Daemon? _daemon;
    private long _startedAt;

    public string State => state;

    /// <summary>What it has said since it was started last.</summary>
    public string Lines => _daemon!.Lines;

    /// <summary>What it has ever said of something.</summary>
    public IEnumerable<string> LinesOf(string what) =>
        _said.Append(Lines).SelectMany(lines => lines.Split('\n')).Where(line => line.Contains(what, StringComparison.Ordinal));

    public string ConfigurationFile => Path.Combine(state, "configuration.json");

    public Uri Url => new(_daemon!.Urls[0]);

    public async Task StartAsync()
    {
        await File.WriteAllTextAsync(ConfigurationFile, configuration.ToJsonString());
        var daemon = await Daemon.StartAsync(["serve"], state, configuration);
        if (_daemon is not null)
        {
            _said.Add(Lines);
            await DisposeAsync(); // of the one before
        }

        configuration["listen"] = new System.Text.Json.Nodes.JsonArray(daemon.Urls[0]); // where it is found again
        (_startedAt, _daemon) = (System.Diagnostics.Stopwatch.GetTimestamp(), daemon);
    }

    public Task KillAsync() => _daemon!.KillAsync();

    public async Task SignalAsync(string signal) => (await Shell.RunAsync("kill", [signal, $"{_daemon!.Id}"])).OrThrow();

    /// <summary>The memory that it has in use, in MB; null when it has not run for so long, or does not.</summary>
    public double? Memory(TimeSpan age)
    {
        try
        {
            var line = File.ReadLines($"/proc/{_daemon!.Id}/status")
                .FirstOrDefault(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
            return line is null || System.Diagnostics.Stopwatch.GetElapsedTime(_startedAt) < age ? null : double.Parse(
                line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture) / 1024;
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>The most memory that it ever had in use, in MB.</summary>
    public double PeakMemory() => double.Parse(
        File.ReadLines($"/proc/{_daemon!.Id}/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
        System.Globalization.CultureInfo.InvariantCulture) / 1024;

    public async Task<Reply> AskAsync(string path)
    {
        using var response = await Client.GetAsync(new Uri(Url, path));
        var decision = response.Headers.TryGetValues("X-Trustix-Decision", out var values) ? values.Single() : null;
        return new Reply(response.StatusCode, decision, await response.Content.ReadAsStringAsync());
    }

    public Task<Reply> AskAsync(TestOutput output) => AskAsync($"{output.Path.Digest}.narinfo");

    /// <summary>The narinfo of an output, checked as a client checks it; null when it is refused.</summary>
    /// <exception cref="InvalidOperationException">It is a wrong one, or no answer of a proxy.</exception>
    public async Task<NarInfo?> NarInfoAsync(TestOutput output)
    {
        var reply = await AskAsync(output);
        return reply.Status is HttpStatusCode.NotFound ? null
            : reply.Status is HttpStatusCode.OK && NarInfo.TryParse(Encoding.ASCII.GetBytes(reply.Text), out var narInfo, out _)
                && narInfo.Signatures.Any(signature => key.PublicKey.Verify(narInfo.Fingerprint, signature))
                    && narInfo.NarHash == output.Statement.NarHash ? narInfo
            : throw new InvalidOperationException($"Wrong: {reply}");
    }

    /// <summary>Runs a verb with this replica's configuration.</summary>
    public Task<Result> RunAsync(params string[] verb) => Daemon.RunAsync([.. verb, "--config", ConfigurationFile]);

    public async ValueTask DisposeAsync()
    {
        if (_daemon is not null)
        {
            await _daemon.DisposeAsync();
        }
    }
}
