using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.Logs.Client;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Substituter.FrontDoor;
using TrustixProxy.Substituter.Hosting;

namespace TrustixProxy.Testing;

/// <summary>What the proxy answered.</summary>
public sealed record ProxyAnswer(HttpStatusCode Status, string? Decision, string Text);

/// <summary>The proxy as it is, over logs and upstreams of the test's, with a state directory of its own.</summary>
public sealed class TestProxy : IAsyncDisposable
{
    private readonly List<IAsyncDisposable> _owned = [];
    private readonly Dictionary<string, FakeLog> _logs = [];
    private readonly Dictionary<string, FakeUpstream> _upstreams = [];
    private readonly string _directory = Directory.CreateTempSubdirectory("trustix-test-").FullName;
    private WebApplication? _app;

    public TestProxy(NixSecretKey? key = null) => Key = key ?? NixSecretKey.Generate("proxy-test-1");

    public NixSecretKey Key { get; }

    public HttpClient Client { get; } = new(
        new SocketsHttpHandler { AllowAutoRedirect = false, AutomaticDecompression = DecompressionMethods.None });

    public Uri Url => new(_app!.Urls.Single());

    /// <summary>Its operations listener.</summary>
    public Uri OperationsUrl => new(_app!.Services.GetRequiredService<OperationsServer>().Urls.Single());

    public string StateDirectory => _directory;

    /// <summary>Answers <c>/metrics</c>; nothing does when null.</summary>
    public Microsoft.AspNetCore.Http.RequestDelegate? Metrics { get; set; }

    /// <summary>What is changed of the options before a start.</summary>
    public Func<SubstituterOptions, SubstituterOptions> Change { get; set; } = options => options;

    /// <summary>Which electors are declared; one for each log, run by an operator of its own, unless changed.</summary>
    public Func<Elector.Log, Elector.Log> ChangeElector { get; set; } = elector => elector;

    public int? Quorum { get; set; }

    /// <summary>How long upstreams may be silent in mid-NAR.</summary>
    public TimeSpan NarDeadline { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Whether <see cref="Lines"/> also has what the proxy logs for debugging.</summary>
    public bool LogsDebug { get; init; }

    /// <summary>Signed caches that vote.</summary>
    public List<CacheOptions> Caches { get; } = [];

    /// <summary>Servers of proof files that vote.</summary>
    public List<ProofOptions> Proofs { get; } = [];

    /// <summary>What the proxy was told at the last start.</summary>
    public SubstituterOptions? Options { get; private set; }

    /// <summary>The policy of the last start.</summary>
    public Policy? Policy => Options?.Policy;

    /// <summary>What is made of the policy.</summary>
    public Func<Policy, Policy> ChangePolicy { get; set; } = policy => policy;

    public Dissent Dissent { get; set; }

    /// <summary>Lines that the proxy has logged.</summary>
    public System.Collections.Concurrent.ConcurrentQueue<string> Lines { get; } = new();

    /// <summary>A proxy with logs alice, bob and carol, one upstream "main", and quorum 2 of 3.</summary>
    public static async Task<TestProxy> WithThreeLogsAsync()
    {
        var proxy = new TestProxy();
        foreach (var name in new[] { "alice", "bob", "carol" })
        {
            await proxy.AddLogAsync(name);
        }

        await proxy.AddUpstreamAsync("main");
        return proxy;
    }

    public FakeLog Log(string name) => _logs[name];

    public FakeUpstream Upstream(string name = "main") => _upstreams[name];

    public async Task<FakeLog> AddLogAsync(string name)
    {
        _logs.Add(name, await FakeLog.StartAsync());
        _owned.Add(_logs[name]);
        return _logs[name];
    }

    public async Task<FakeUpstream> AddUpstreamAsync(string name)
    {
        _upstreams.Add(name, await FakeUpstream.StartAsync());
        _owned.Add(_upstreams[name]);
        return _upstreams[name];
    }

    /// <summary>Has the named logs publish an output, and all upstreams serve it.</summary>
    public TestProxy Publish(TestOutput output, params string[] logs)
    {
        foreach (var upstream in _upstreams.Values)
        {
            upstream.Add(output);
        }

        foreach (var log in logs)
        {
            _logs[log].Publish(output.Statement);
        }

        return this;
    }

    public async Task<TestProxy> StartAsync()
    {
        await WarmUp.Value;
        return await StartColdAsync();
    }

    /// <summary>Runs all parts once, so that no test measures the time that the first use of the code takes.</summary>
    private static readonly Lazy<Task> WarmUp = new(async () =>
    {
        var output = TestOutput.Make();
        await using var proxy = await WithThreeLogsAsync();
        proxy.Change = options => options with { Deadline = TimeSpan.FromSeconds(20) };
        await proxy.Publish(output, "alice", "bob", "carol").StartColdAsync();
        await proxy.NarAsync(await proxy.NarInfoAsync(output));
    });

    private async Task<TestProxy> StartColdAsync()
    {
        var logs = _logs.Select(
            log => new LogOptions(ChangeElector(new Elector.Log(log.Key, log.Key, log.Value.Log.Signer.Key)), log.Value.Url)).ToList();
        var options = Change(new SubstituterOptions
        {
            FrontDoor = new FrontDoorOptions { Listen = ["http://127.0.0.1:0"] },
            OperationsListen = ["http://127.0.0.1:0"],
            StateDirectory = _directory,
            SigningKey = Key,
            Policy = ChangePolicy(
                new Policy([.. logs.Select(log => log.Elector), .. Caches.Select(cache => cache.Elector),
                    .. Proofs.Select(proof => proof.Elector)], Quorum, Dissent)),
            Caches = [.. Caches],
            Proofs = [.. Proofs],
            Logs = [.. logs],
            Upstreams = [.. _upstreams.Select(
                (upstream, i) => new UpstreamOptions(upstream.Key, upstream.Value.Url, 10 * (i + 1)) { NarDeadline = NarDeadline })],
            NarStay = TimeSpan.Zero, // each request asks the upstreams anew, unless a test says otherwise
            Deadline = TimeSpan.FromSeconds(2),
        });
        Options = options;
        _app = SubstituterHost.Create(
            options,
            builder =>
            {
                builder.Logging.ClearProviders();
                builder.Logging.AddProvider(new LineLogger(Lines));
                builder.Logging.AddFilter("TrustixProxy", LogsDebug ? LogLevel.Debug : LogLevel.Information);
            },
            metrics: Metrics);
        await _app.StartAsync();
        return this;
    }

    /// <summary>Has the running proxy remember decisions that were never made, for its pages.</summary>
    public void Remember(int count)
    {
        var journal = _app!.Services.GetRequiredService<DecisionJournal>();
        var outcomes = Enum.GetValues<Outcome>();
        for (var i = 0; i < count; i++)
        {
            var path = TestOutput.PathOf($"remembered-{i}");
            journal.Decided(path.Digest, path, outcomes[i % outcomes.Length], "made up", null, TimeSpan.FromMilliseconds(i % 500));
        }
    }

    /// <summary>Ends the proxy as a signal does: what is written at the end is written.</summary>
    public async Task StopGentlyAsync()
    {
        await _app!.StopAsync();
        await StopAsync();
    }

    /// <summary>Ends the proxy; it can be started again over the same state.</summary>
    public async Task StopAsync()
    {
        await _app!.DisposeAsync();
        _app = null;
    }

    /// <summary>Has the running proxy take other options; answers the keys that it refused.</summary>
    public async Task<IReadOnlyList<string>> ReloadAsync(Func<SubstituterOptions, SubstituterOptions> change)
    {
        var options = change(Options!);
        var refused = await SubstituterHost.ReloadAsync(_app!, options);
        Options = refused.Count is 0 ? options : Options;
        return [.. refused.Select(setting => setting.Key)];
    }

    /// <summary>Ends the proxy and starts it again over the same state.</summary>
    public async Task RestartAsync()
    {
        await StopAsync();
        await StartAsync();
    }

    public async Task<ProxyAnswer> AskAsync(StorePath path, HttpMethod? method = null) => await AskAsync($"{path.Digest}.narinfo", method);

    public async Task<ProxyAnswer> AskAsync(string path, HttpMethod? method = null)
    {
        using var request = new HttpRequestMessage(method ?? HttpMethod.Get, new Uri(Url, path));
        using var response = await Client.SendAsync(request);
        var decision = response.Headers.TryGetValues("X-Trustix-Decision", out var values) ? values.Single() : null;
        return new ProxyAnswer(response.StatusCode, decision, await response.Content.ReadAsStringAsync());
    }

    /// <summary>The narinfo that the proxy gives for an output; its signature and claim are checked as a client checks them.</summary>
    public async Task<NarInfo> NarInfoAsync(TestOutput output)
    {
        var answer = await AskAsync(output.Path);
        if (answer.Status is not HttpStatusCode.OK
            || !NarInfo.TryParse(System.Text.Encoding.ASCII.GetBytes(answer.Text), out var narInfo, out _)
            || !narInfo.Signatures.Any(signature => Key.PublicKey.Verify(narInfo.Fingerprint, signature))
            || narInfo.NarHash != output.Statement.NarHash)
        {
            throw new InvalidOperationException($"No right narinfo: {answer}");
        }

        return narInfo;
    }

    /// <summary>The whole NAR that a narinfo names.</summary>
    /// <exception cref="HttpRequestException">It is refused, or the connection breaks.</exception>
    public async Task<byte[]> NarAsync(NarInfo narInfo) => await Client.GetByteArrayAsync(new Uri(Url, narInfo.Url));

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
        {
            await _app.DisposeAsync();
        }

        foreach (var part in _owned)
        {
            await part.DisposeAsync();
        }

        Client.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}
