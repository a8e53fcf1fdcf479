using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;
using StackExchange.Redis;
using TrustixProxy.IO.Redis;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Redis;

/// <summary>Redis as organisations run it: behind Sentinels, as a Cluster, with ACL users, on a unix socket, with TLS.</summary>
public sealed class FarmTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("trustix-secrets-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task When_the_primary_dies_sentinel_names_another_no_client_notices_and_replicas_share_again_within_ten_seconds()
    {
        await using var farm = await RedisFarm.SentinelAsync("secret");
        await using var lab = await ReplicaLab.StartAsync(replicas: 0, outputs: 600);
        var redis = With(farm, ("passwordFile", Secret("secret")));
        await lab.AddReplicaAsync(redis);
        await lab.AddReplicaAsync(redis);
        var cold = new ConcurrentQueue<TestOutput>(lab.Outputs.Skip(20));
        await SharedAsync(lab, cold, farm.Ports[0], "secret", farm);
        using var load = new Load(lab, cold);

        await farm.KillAsync(farm.Ports[0]);
        await SharedAsync(lab, cold, farm.Ports[1], "secret", farm, seconds: 10);

        Assert.True(await load.EndAsync() > 0);
    }

    [Fact]
    public async Task When_one_of_three_primaries_dies_no_client_notices_and_paths_of_the_others_are_still_shared()
    {
        await using var farm = await RedisFarm.ClusterAsync();
        await using var lab = await ReplicaLab.StartAsync(replicas: 0, outputs: 600);
        await lab.AddReplicaAsync(With(farm));
        await lab.AddReplicaAsync(With(farm));
        var cold = new ConcurrentQueue<TestOutput>(lab.Outputs.Skip(20));
        foreach (var port in farm.Ports)
        {
            await SharedAsync(lab, cold, port, null, farm);
        }

        Assert.All(farm.Ports.SelectMany(port => farm.Keys(port, "*:d:*").Select(key => (Port: port, Key: $"{key}"))), kept =>
        {
            Assert.Matches(":\\{[0-9a-z]{32}\\}$", kept.Key);
            var proofs = kept.Key.Replace(":d:", ":b:", StringComparison.Ordinal);
            Assert.Contains(proofs, farm.Keys(kept.Port, "*:b:*").Select(key => $"{key}"));
        });
        using var load = new Load(lab, cold);

        await farm.KillAsync(farm.Ports[0]);
        await SharedAsync(lab, cold, farm.Ports[1], null, farm, seconds: 10);
        await SharedAsync(lab, cold, farm.Ports[2], null, farm, seconds: 10);

        Assert.True(await load.EndAsync() > 0);
    }

    [Fact]
    public async Task A_revocation_reaches_all_replicas_of_a_cluster_also_while_the_primary_that_keeps_it_is_dead()
    {
        await using var farm = await RedisFarm.ClusterAsync();
        await using var lab = await ReplicaLab.StartAsync(replicas: 0, outputs: 2);
        var (one, other) = (await lab.AddReplicaAsync(With(farm)), await lab.AddReplicaAsync(With(farm)));
        Assert.NotNull(await other.NarInfoAsync(lab.Outputs[0]));
        Assert.NotNull(await other.NarInfoAsync(lab.Outputs[1]));

        await RevokeAsync(one, lab.Outputs[0]);
        await UntilAsync(async () => (await other.AskAsync(lab.Outputs[0])).Decision is "revoked");
        var keeper = farm.Ports.Single(port => farm.Keys(port, "*:revocations").Count is 1);
        await farm.KillAsync(keeper);
        await RevokeAsync(one, lab.Outputs[1]);

        await UntilAsync(async () => (await other.AskAsync(lab.Outputs[1])).Decision is "revoked");
        Assert.Equal("revoked", (await other.AskAsync(lab.Outputs[0])).Decision);
    }

    [Fact]
    public async Task An_acl_user_with_what_is_named_shares_and_one_that_lacks_a_command_is_named_with_the_remedy()
    {
        await using var farm = await RedisFarm.OneAsync("127.0.0.1:PORT,user=trustix");
        await RedisFarm.UpAsync(farm.Ports[0]);
        var admin = farm.Connect(farm.Ports[0]);
        var rules = new RedisOptions("").Permissions.Split(' ');
        await AllowAsync(admin, rules);
        await using var lab = await ReplicaLab.StartAsync(replicas: 0, outputs: 100);
        var cold = new ConcurrentQueue<TestOutput>(lab.Outputs);
        var replica = await lab.AddReplicaAsync(With(farm, ("passwordFile", Secret("pw"))));
        await SharedAsync(lab, cold, farm.Ports[0], null, farm);
        Assert.DoesNotContain("Redis denies", replica.Lines, StringComparison.Ordinal);
        var denied = ((RedisResult[])(await admin.ExecuteAsync("ACL", "LOG"))!).Select(entry => $"{entry.ToDictionary()["object"]}");
        Assert.Subset(new HashSet<string> { "config|get", "__Booksleeve_MasterChanged" }, denied.ToHashSet()); // which it can do without

        await AllowAsync(admin, [.. rules.Except(["+eval"])]);
        await UntilAsync(async () =>
        {
            Assert.NotNull(await replica.NarInfoAsync(cold.TryDequeue(out var next) ? next : lab.Outputs[0]));
            return replica.Lines.Contains("Redis denies its user", StringComparison.Ordinal);
        });

        Assert.Contains("'eval'", replica.Lines, StringComparison.Ordinal);
        Assert.Contains("Run ACL SETUSER trustix ~trustix-proxy:* ", replica.Lines, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_new_password_in_the_file_is_used_without_a_restart()
    {
        await using var farm = await RedisFarm.OneAsync("127.0.0.1:PORT,user=trustix", "--requirepass", "admin");
        await RedisFarm.UpAsync(farm.Ports[0]);
        var admin = farm.Connect(farm.Ports[0], "admin");
        await AllowAsync(admin, new RedisOptions("").Permissions.Split(' '));
        await using var lab = await ReplicaLab.StartAsync(replicas: 0, outputs: 300);
        var cold = new ConcurrentQueue<TestOutput>(lab.Outputs.Skip(20));
        var file = Secret("pw");
        var replica = await lab.AddReplicaAsync(With(farm, ("passwordFile", file)));
        await SharedAsync(lab, cold, farm.Ports[0], "admin", farm);
        using var load = new Load(lab, cold);

        await admin.ExecuteAsync("ACL", "SETUSER", "trustix", ">new", "<pw");
        await admin.ExecuteAsync("CLIENT", "KILL", "USER", "trustix");
        await UntilAsync(() => replica.Lines.Contains("Redis does not answer", StringComparison.Ordinal)); // with the old password
        await File.WriteAllTextAsync(file, "new\n");
        await SharedAsync(lab, cold, farm.Ports[0], "admin", farm, seconds: 15);

        Assert.True(await load.EndAsync() > 0);
    }

    [Fact]
    public async Task A_unix_socket_is_shared()
    {
        await using var farm = await RedisFarm.OneAsync("unix:FOLDER/redis.sock", "--unixsocket", "FOLDER/redis.sock");
        await RedisFarm.UpAsync(farm.Ports[0]);
        await using var lab = await ReplicaLab.StartAsync(replicas: 0, outputs: 50);
        await lab.AddReplicaAsync(With(farm));

        await SharedAsync(lab, new ConcurrentQueue<TestOutput>(lab.Outputs), farm.Ports[0], null, farm);
    }

    [Fact]
    public async Task With_tls_redis_has_its_own_authority_and_is_shown_our_certificate_and_what_fails_is_named()
    {
        using var authority = new TestAuthority(_folder);
        var (server, serverKey) = authority.Issue("redis");
        var (us, ourKey) = authority.Issue("us");
        await using var farm = await RedisFarm.OneAsync("127.0.0.1:PORT,ssl=true", "--tls-port", "TLSPORT", "--tls-cert-file", server,
            "--tls-key-file", serverKey, "--tls-ca-cert-file", authority.File, "--tls-auth-clients", "yes");
        await using var lab = await ReplicaLab.StartAsync(replicas: 0, outputs: 2);
        var ours = With(farm, ("caFile", authority.File), ("clientCertificateFile", us), ("clientKeyFile", ourKey));

        var first = await lab.AddReplicaAsync(ours);
        var second = await lab.AddReplicaAsync(ours);
        Assert.NotNull(await first.NarInfoAsync(lab.Outputs[0]));
        await UntilAsync(async () =>
        {
            var asked = lab.Questions("alice");
            Assert.NotNull(await second.NarInfoAsync(lab.Outputs[0]));
            return asked == lab.Questions("alice");
        });
        var stranger = await lab.AddReplicaAsync(With(farm, ("caFile", authority.File)), until: "redis: TLS fails (");

        Assert.NotNull(await stranger.NarInfoAsync(lab.Outputs[1]));
    }

    private string Secret(string text)
    {
        var file = Path.Combine(_folder, "password");
        File.WriteAllText(file, text + "\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return file;
    }

    private static Action<JsonObject> With(RedisFarm farm, params (string Key, string Value)[] more) => configuration =>
    {
        configuration["redis"]!["configuration"] = farm.Configuration;
        foreach (var (key, value) in more)
        {
            configuration["redis"]![key] = value;
        }
    };

    private static Task<RedisResult> AllowAsync(IDatabase admin, string[] rules) =>
        admin.ExecuteAsync("ACL", [.. new object[] { "SETUSER", "trustix", "reset", "on", ">pw" }, .. rules]);

    private static async Task RevokeAsync(Replica replica, TestOutput output) =>
        (await replica.RunAsync("revoke", output.Path.Absolute, "--reason", "test")).OrThrow();

    /// <summary>Waits until what the first replica decides anew is in a server.</summary>
    private static Task SharedAsync(
        ReplicaLab lab, ConcurrentQueue<TestOutput> cold, int port, string? password, RedisFarm farm, int seconds = 30) => UntilAsync(
        async () =>
        {
            Assert.True(cold.TryDequeue(out var fresh));
            Assert.NotNull(await lab.Replicas[0].NarInfoAsync(fresh));
            await Task.Delay(50);
            return farm.Keys(port, $"*:d:*{fresh.Path.Digest}*", password).Count is 1;
        },
        seconds);

    /// <summary>Clients that ask for warm and cold paths until the end; any wrong answer, refusal or error fails.</summary>
    private sealed class Load : IDisposable
    {
        private readonly CancellationTokenSource _end = new();
        private readonly Task<int[]> _clients;

        public Load(ReplicaLab lab, ConcurrentQueue<TestOutput> cold) => _clients = Task.WhenAll(Enumerable.Range(0, 4).Select(
            client => Task.Run(async () =>
            {
                var (random, count) = (new Random(client), 0);
                for (; !_end.IsCancellationRequested; count++)
                {
                    var wanted = random.Next(20) is 0 && cold.Count > 100 && cold.TryDequeue(out var fresh) ? fresh
                        : lab.Outputs[random.Next(20)];
                    var start = Stopwatch.GetTimestamp();
                    Assert.NotNull(await lab.Replicas[random.Next(lab.Replicas.Count)].NarInfoAsync(wanted));
                    Assert.InRange(Stopwatch.GetElapsedTime(start), TimeSpan.Zero, TimeSpan.FromSeconds(8));
                    await Task.Delay(random.Next(20));
                }

                return count;
            })));

        public async Task<int> EndAsync()
        {
            await _end.CancelAsync();
            return (await _clients).Sum();
        }

        public void Dispose()
        {
            _end.Cancel();
            _end.Dispose();
        }
    }
}
