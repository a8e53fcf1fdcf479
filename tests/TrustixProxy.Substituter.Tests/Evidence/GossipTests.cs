using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Google.Protobuf;
using TrustixProxy.Consensus;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Tests.Evidence;

/// <summary>Proxies tell each other the heads that they have seen; lies of peers change nothing.</summary>
public sealed class GossipTests
{
    [Fact]
    public async Task A_log_that_shows_two_proxies_two_histories_is_caught_by_both_with_evidence()
    {
        var (one, other) = (await StartAsync(3, "honest"), await StartAsync(3, "forked"));
        await using var first = one;
        await using var second = other;
        second.Log("alice").Show(first.Log("alice").Log.Fork(1));
        second.Log("alice").Log.Add("another"u8.ToArray(), [1]);
        second.Log("alice").Log.Add("history"u8.ToArray(), [2]);
        var key = first.Log("alice").Log.Signer.Key;
        await RunAsync(first, key);
        await RunAsync(second, key, OperationsUrl(first));

        foreach (var proxy in new[] { second, first })
        {
            var file = await EvidenceAsync(proxy);
            Assert.True(
                FaultEvidence.TryVerify(await File.ReadAllBytesAsync(file), [key], out var evidence, out var error), error.ToString());
            Assert.Equal("split-view", evidence.Fault.Kind);
        }
    }

    [Fact]
    public async Task A_head_that_is_told_before_there_is_a_view_is_looked_at_when_it_is_told_again()
    {
        var output = TestOutput.Make();
        await using var proxy = await StartAsync(3, "honest");
        var log = proxy.Log("alice").Log;
        var fork = log.Fork(1);
        fork.Add("another"u8.ToArray(), [1]);
        fork.Add("history"u8.ToArray(), [2]);
        proxy.Log("alice").Lie = LogLie.Html;
        await RunBlindAsync(proxy, log.Signer.Key);

        await TellAsync(proxy, log.Signer.Key.LogId, fork.Head.ToMessage().ToByteArray());
        proxy.Log("alice").Lie = LogLie.None;
        await proxy.Publish(output, "alice").NarInfoAsync(output);
        await TellAsync(proxy, log.Signer.Key.LogId, fork.Head.ToMessage().ToByteArray());

        Assert.True(
            FaultEvidence.TryVerify(await File.ReadAllBytesAsync(await EvidenceAsync(proxy)), [log.Signer.Key], out var evidence, out _));
        Assert.Equal("rewritten-log", evidence.Fault.Kind);
    }

    [Fact]
    public async Task An_older_head_of_another_history_freezes_by_the_logs_own_consistency_proof()
    {
        await using var proxy = await StartAsync(6, "honest");
        var log = proxy.Log("alice").Log;
        await RunAsync(proxy, log.Signer.Key);
        var fork = log.Fork(1);
        fork.Add("another"u8.ToArray(), [1]);
        fork.Add("history"u8.ToArray(), [2]);

        Assert.Equal(HttpStatusCode.OK, await TellAsync(proxy, log.Signer.Key.LogId, fork.Heads[3].ToMessage().ToByteArray()));

        var file = await EvidenceAsync(proxy);
        Assert.True(FaultEvidence.TryVerify(await File.ReadAllBytesAsync(file), [log.Signer.Key], out var evidence, out _));
        Assert.Equal(("rewritten-log", "peer 127.0.0.1"), (evidence.Fault.Kind, evidence.From));
    }

    [Fact]
    public async Task Old_heads_forged_ones_of_unknown_logs_and_garbage_freeze_nobody_and_move_nothing()
    {
        await using var proxy = await StartAsync(6, "honest");
        var log = proxy.Log("alice").Log;
        var id = log.Signer.Key.LogId;
        await RunAsync(proxy, log.Signer.Key);
        var forged = log.Heads[3].ToMessage();
        forged.LogRoot = ByteString.CopyFrom(new byte[32]);

        foreach (var head in log.Heads.Select(head => head.ToMessage().ToByteArray()).Append(forged.ToByteArray()).Append([])
            .Append([1, 2, 3]).Append(new MemoryLog().Head.ToMessage().ToByteArray()))
        {
            Assert.Equal(HttpStatusCode.OK, await TellAsync(proxy, id, head));
        }

        Assert.Equal(HttpStatusCode.OK, await TellAsync(proxy, new string('0', 64), log.Head.ToMessage().ToByteArray()));
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync(proxy, "<html>"));
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync(proxy, """{"version":2,"heads":[]}"""));
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync(proxy, """{"version":1,"heads":[null]}"""));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, await PostAsync(proxy, new string(' ', 300_000)));

        var output = TestOutput.Make("after");
        proxy.Publish(output, "alice");
        await Task.Delay(1100); // till then an absence is believed under the head that is known
        await proxy.NarInfoAsync(output);
        Assert.False(Directory.Exists(Path.Combine(proxy.StateDirectory, "evidence")));
    }

    [Fact]
    public async Task A_newer_head_of_a_peers_is_taken_in_when_the_log_proves_that_it_continues_ours()
    {
        await using var proxy = await StartAsync(3, "honest");
        var log = proxy.Log("alice").Log;
        await RunAsync(proxy, log.Signer.Key);
        log.Add("more"u8.ToArray(), [1]);
        log.Add("and more"u8.ToArray(), [2]);

        await TellAsync(proxy, log.Signer.Key.LogId, log.Head.ToMessage().ToByteArray());
        var told = JsonNode.Parse(await new HttpClient().GetStringAsync(new Uri(OperationsUrl(proxy), "gossip/heads")))!;

        Assert.Equal(Convert.ToBase64String(log.Head.ToMessage().ToByteArray()), told["heads"]![0]!["head"]!.ToString());
    }

    [Fact]
    public async Task The_operations_listener_answers_to_its_own_names_only_and_gives_decisions()
    {
        var output = TestOutput.Make();
        await using var proxy = await StartAsync(1, "honest");
        proxy.Publish(output, "alice");
        await RunAsync(proxy, proxy.Log("alice").Log.Signer.Key);
        await proxy.NarInfoAsync(output);
        using var http = new HttpClient { BaseAddress = OperationsUrl(proxy) };
        using var foreign = new HttpRequestMessage(HttpMethod.Get, "healthz") { Headers = { Host = "evil.example" } };
        using var named = new HttpRequestMessage(HttpMethod.Get, "healthz") { Headers = { Host = "proxy.example" } };

        var bundle = await http.GetByteArrayAsync($"decisions/{output.Path.Digest}");

        Assert.True(DecisionBundle.TryVerify(bundle, proxy.Policy!, out _, out _, out _));
        Assert.Equal(HttpStatusCode.MisdirectedRequest, (await http.SendAsync(foreign)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await http.SendAsync(named)).StatusCode);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await http.DeleteAsync("decisions/x")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync($"decisions/{TestOutput.PathOf("x").Digest}")).StatusCode);
        Assert.Equal("ok\n", await http.GetStringAsync("healthz"));
    }

    [Fact]
    public async Task No_form_of_a_web_page_and_no_flood_makes_the_proxy_ask_a_log()
    {
        await using var proxy = await StartAsync(6, "honest");
        var log = proxy.Log("alice");
        await RunAsync(proxy, log.Log.Signer.Key);
        using var http = new HttpClient { BaseAddress = OperationsUrl(proxy) };
        var message = Message(log.Log.Signer.Key.LogId, [.. log.Log.Heads.Select(head => head.ToMessage().ToByteArray())]);
        int Proofs() => log.Calls.Count(call => call is "GetLogConsistencyProof");
        var before = Proofs();

        foreach (var type in new[] { "text/plain", "application/x-www-form-urlencoded", "multipart/form-data" })
        {
            using var form = await http.PostAsync("gossip/heads", new StringContent(message, Encoding.UTF8, type));
            Assert.Equal(HttpStatusCode.UnsupportedMediaType, form.StatusCode);
        }

        using var preflight = await http.SendAsync(new HttpRequestMessage(HttpMethod.Options, "gossip/heads"));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, preflight.StatusCode);
        Assert.Equal(before, Proofs());
        var answers = new List<HttpStatusCode>();
        for (var i = 0; i < 40; i++)
        {
            answers.Add(await PostAsync(proxy, message));
        }

        Assert.Contains(HttpStatusCode.TooManyRequests, answers);
        Assert.InRange(Proofs(), before, before + 1); // one head of a log in a message, and each but once
    }

    private static Uri OperationsUrl(TestProxy proxy) => new(proxy.Options!.OperationsListen.Single() + "/");

    private static Task<HttpStatusCode> TellAsync(TestProxy proxy, string logId, params byte[][] heads) =>
        PostAsync(proxy, Message(logId, heads));

    private static string Message(string logId, params byte[][] heads) =>
        new JsonObject
        {
            ["version"] = 1,
            ["heads"] = new JsonArray(
            [.. heads.Select(head => new JsonObject { ["logId"] = logId, ["head"] = Convert.ToBase64String(head) })])
        }.ToJsonString();

    private static async Task<HttpStatusCode> PostAsync(TestProxy proxy, string body)
    {
        using var http = new HttpClient();
        using var response = await http.PostAsync(
            new Uri(OperationsUrl(proxy), "gossip/heads"), new StringContent(body, Encoding.UTF8, "application/json"));
        return response.StatusCode;
    }

    private static async Task<string> EvidenceAsync(TestProxy proxy)
    {
        var directory = Path.Combine(proxy.StateDirectory, "evidence");
        for (var i = 0; i < 100; i++)
        {
            if (Directory.Exists(directory) && Directory.GetFiles(directory) is [var file] && new FileInfo(file).Length > 0)
            {
                return file;
            }

            await Task.Delay(100);
        }

        throw new TimeoutException($"No evidence: {string.Join('\n', proxy.Lines)}");
    }

    private static async Task<TestProxy> StartAsync(int entries, string value)
    {
        var proxy = new TestProxy();
        await proxy.AddLogAsync("alice");
        await proxy.AddUpstreamAsync("main");
        for (var i = 0; i < entries; i++)
        {
            proxy.Log("alice").Log.Add(Encoding.ASCII.GetBytes($"key {i}"), Encoding.ASCII.GetBytes($"{value} {i}"));
        }

        return proxy;
    }

    /// <summary>Starts a proxy, and waits until it has a view of its log.</summary>
    private static async Task RunAsync(TestProxy proxy, LogKey key, params Uri[] peers)
    {
        await RunBlindAsync(proxy, key, peers);
        using var http = new HttpClient();
        for (var i = 0; i < 50 && !(await http.GetStringAsync(new Uri(OperationsUrl(proxy), "gossip/heads")))
            .Contains(key.LogId, StringComparison.Ordinal); i++)
        {
            await Task.Delay(100);
        }
    }

    private static async Task RunBlindAsync(TestProxy proxy, LogKey key, params Uri[] peers)
    {
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        var port = ((IPEndPoint)free.LocalEndpoint).Port;
        free.Stop();
        proxy.ChangeElector = elector => elector with { Key = key };
        proxy.Change = options => options with
        {
            OperationsListen = [$"http://127.0.0.1:{port}"],
            OperationsHosts = ["proxy.example"],
            GossipPeers = [.. peers],
            GossipInterval = TimeSpan.FromMilliseconds(300),
        };
        await proxy.StartAsync();
    }
}
