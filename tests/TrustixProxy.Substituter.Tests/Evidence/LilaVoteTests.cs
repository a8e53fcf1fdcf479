using System.Diagnostics.Metrics;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Evidence;

/// <summary>A proxy over a log and rebuilders on one lila server, of which two must agree.</summary>
public sealed class LilaVoteTests
{
    private static readonly NixSecretKey Nora = NixSecretKey.Generate("nora-hash-collection"), Otto = NixSecretKey.Generate("otto-1"),
        Farm = NixSecretKey.Generate("cache.nixos.org-1");

    [Fact]
    public async Task A_rebuilders_signature_agrees_and_the_decision_can_be_made_again_offline()
    {
        var output = TestOutput.Make();
        await using var proxy = await StartAsync(output, List(Attest(output, Nora), Attest(output.Forge(), Farm)));

        await proxy.NarAsync(await proxy.NarInfoAsync(output));

        var json = await proxy.Client.GetByteArrayAsync(new Uri(proxy.OperationsUrl, $"/decisions/{output.Path.Digest}"));
        Assert.True(DecisionBundle.TryVerify(json, proxy.Policy!, out var bundle, out var verdict, out var error), $"{error}");
        Assert.Equal((Outcome.Agreed, output.Statement.NarHash), (bundle.Outcome, verdict!.Granted!.NarHash));
        Assert.Contains(Nora.Sign(output.NarInfo().Fingerprint).ToString(), Encoding.UTF8.GetString(json), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rebuilders_on_one_server_cost_one_request_for_each_path()
    {
        var output = TestOutput.Make("c++-1.0?b=1");
        await using var proxy = await StartAsync(output, 3, List(Attest(output, Nora), Attest(output, Otto)), Nora, Otto);

        await proxy.NarInfoAsync(output);

        Assert.Single(proxy.Upstream("lila").Requests, request => request.Contains("/attestations/by-output/", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("another hash", "without proof")]
    [InlineData("damaged", "without proof")]
    [InlineData("of a farm", "silent(not-found)")]
    [InlineData("none", "silent(not-found)")]
    [InlineData("nothing", "silent(not-found)")]
    [InlineData("html", "silent(bad-answer)")]
    [InlineData("object", "silent(bad-answer)")]
    [InlineData("odd items", "silent(not-found)")]
    [InlineData("large", "silent(too-large)")]
    [InlineData("two outputs", "silent(two-claims)")]
    public async Task Other_answers_are_no_vote_and_are_not_waited_for(string kind, string told)
    {
        var output = TestOutput.Make();
        await using var proxy = await StartAsync(output, Answer(output, kind));

        var answer = await proxy.AskAsync(output.Path).WaitAsync(TimeSpan.FromMinutes(1));

        Assert.Equal("undecided", answer.Decision);
        Assert.Contains(told, answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_output_of_the_same_size_is_proven_and_disagrees()
    {
        var output = TestOutput.Make();
        var other = OfSameSize(output);
        Assert.Equal(output.Nar.Length, other.Nar.Length);
        await using var proxy = await StartAsync(output, List(Attest(other, Nora)));

        Assert.Equal("conflict", (await proxy.AskAsync(output.Path).WaitAsync(TimeSpan.FromMinutes(1))).Decision);
    }

    [Fact]
    public async Task An_upstream_that_lies_about_the_size_silences_no_rebuilder()
    {
        var output = TestOutput.Make();
        await using var proxy = await NewAsync(output, 2, List(Attest(output, Nora)), Nora);
        (await proxy.AddUpstreamAsync("liar")).Add(output, change: LieAboutSize);
        var isAsked = new TaskCompletionSource();
        proxy.Upstream("lila").Intercept = _ => Task.FromResult(!isAsked.TrySetResult() && false);
        proxy.Upstream("main").Intercept = async context =>
        {
            await (context.Request.Path.Value!.EndsWith(".narinfo", StringComparison.Ordinal) ? isAsked.Task : Task.CompletedTask);
            return false;
        };
        await proxy.StartAsync();

        Assert.Equal("agreed", (await proxy.AskAsync(output.Path).WaitAsync(TimeSpan.FromMinutes(1))).Decision);
    }

    [Fact]
    public async Task An_elector_whose_claim_gives_the_size_is_waited_for()
    {
        var output = TestOutput.Make();
        var (quick, swift) = (NixSecretKey.Generate("quick-1"), NixSecretKey.Generate("swift-1"));
        await using var proxy = await NewAsync(output, 3, List(Attest(output, quick), Attest(output, swift)), quick, swift);
        proxy.Log("alice").Lie = LogLie.Hang; // her claim would give the size, too
        proxy.Upstream("main").Add(output, change: LieAboutSize);
        var (key, dora) = (NixSecretKey.Generate("dora-1"), await proxy.AddUpstreamAsync("dora"));
        var areHeard = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        dora.Add(output, change: text => text + $"Sig: {key.Sign(output.NarInfo().Fingerprint)}\n");
        dora.Intercept = async _ =>
        {
            await areHeard.Task;
            return false;
        };
        proxy.Caches.Add(new CacheOptions(new Elector.Cache("dora", "dora", [key.PublicKey]), dora.Url));
        var change = proxy.Change;
        proxy.Change = options => change(options) with { Upstreams = [.. options.Upstreams.Where(upstream => upstream.Name is "main")] };
        using var unproven = Unproven(["quick-1", "swift-1"], areHeard.SetResult);
        await proxy.StartAsync();

        Assert.Equal("agreed", (await proxy.AskAsync(output.Path).WaitAsync(TimeSpan.FromMinutes(1))).Decision);
    }

    [Fact]
    public async Task Junk_under_a_rebuilders_name_does_not_silence_it()
    {
        var output = TestOutput.Make();
        var junk = Enumerable.Range(0, 500).Select(i => Attest(output, Nora.Sign($"{i}")));
        await using var proxy = await StartAsync(output, List([.. junk, Attest(output, Nora)]));

        Assert.Equal("agreed", (await proxy.AskAsync(output.Path).WaitAsync(TimeSpan.FromMinutes(1))).Decision);
    }

    [Fact]
    public async Task A_logs_claim_gives_the_size_that_no_upstream_gives()
    {
        var output = TestOutput.Make();
        await using var proxy = await StartAsync(output, List(Attest(output, Nora)));
        proxy.Upstream("main").Add(output, change: LieAboutSize);

        Assert.Equal("agreed", (await proxy.AskAsync(output.Path).WaitAsync(TimeSpan.FromMinutes(1))).Decision);
    }

    [Fact]
    public async Task A_recorded_answer_is_read()
    {
        var attestations = LilaAttestation.TryParseAll(await File.ReadAllBytesAsync("Vectors/lila/attestations-by-output.json"));

        var keys = (await File.ReadAllLinesAsync("Vectors/lila/public-keys")).Select(line => line.Split(':')[0]);
        Assert.Equal(keys, attestations!.Value.Select(attestation => attestation.Signature.KeyName));
        Assert.Equal(
            ["sha256:11wi49shwrxxs0yd5mlngnn9jqf4yyzzj66vi95yccb8xfsji26d", "sha256:0h39gxacn76qld0n1c3jabnawr63h8zpv8vvjlqyiy7cxb6cxikd"],
            attestations.Value.Select(attestation => attestation.NarHash.ToString()));
    }

    private static byte[]? Answer(TestOutput output, string kind) => kind switch
    {
        "another hash" => List(Attest(output.Forge(), Nora)),
        "damaged" => List(Attest(output, Nora.Sign("another text"))),
        "of a farm" => List(Attest(output, Farm)),
        "none" => List(),
        "nothing" => null,
        "html" => "<html>this domain is for sale</html>"u8.ToArray(),
        "object" => Encoding.UTF8.GetBytes(Attest(output, Nora)),
        "odd items" => List("null", "[]", """{"output_hash":1}""", """{"output_hash":"\ud800"}"""),
        "large" => [.. Enumerable.Repeat((byte)' ', (1 << 20) + 1)],
        _ => List(Attest(output, Nora), Attest(OfSameSize(output), Nora)),
    };

    private static TestOutput OfSameSize(TestOutput output) =>
        TestOutput.Of(output.Path, nar => nar.File([.. Enumerable.Repeat((byte)7, 1000)], executable: true));

    /// <summary>Calls back once the proxy has heard a hash without proof from each of these electors.</summary>
    private static MeterListener Unproven(HashSet<string> electors, Action heard)
    {
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, meters) =>
            {
                if (instrument.Name is "trustix_proxy_proof_failures")
                {
                    meters.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((_, _, tags, _) =>
        {
            lock (electors)
            {
                if (tags is [{ Value: string elector }, { Value: "unproven-hash" }] && electors.Remove(elector) && electors.Count is 0)
                {
                    heard();
                }
            }
        });
        listener.Start();
        return listener;
    }

    private static string LieAboutSize(string narInfo) => Regex.Replace(narInfo, "NarSize: .*", "NarSize: 8");

    private static byte[] List(params string[] items) => Encoding.UTF8.GetBytes($"[{string.Join(',', items)}]");

    private static string Attest(TestOutput output, NixSecretKey key) => Attest(output, key.Sign(output.NarInfo().Fingerprint));

    private static string Attest(TestOutput output, NixSignature signature) => JsonSerializer.Serialize(new
    {
        id = 1,
        user_id = 1,
        output_hash = output.Statement.NarHash.ToString(),
        output_name = output.Path.Name,
        output_digest = output.Path.Digest.ToString(),
        output_sig = signature.ToString(),
        output_path = output.Path.Absolute,
    });

    private static Task<TestProxy> StartAsync(TestOutput output, byte[]? attestations) => StartAsync(output, 2, attestations, Nora);

    private static async Task<TestProxy> StartAsync(TestOutput output, int quorum, byte[]? attestations, params NixSecretKey[] keys) =>
        await (await NewAsync(output, quorum, attestations, keys)).StartAsync();

    private static async Task<TestProxy> NewAsync(TestOutput output, int quorum, byte[]? attestations, params NixSecretKey[] keys)
    {
        var proxy = new TestProxy { Quorum = quorum };
        await proxy.AddLogAsync("alice");
        await proxy.AddUpstreamAsync("main");
        proxy.Publish(output, "alice");
        var lila = await proxy.AddUpstreamAsync("lila");
        if (attestations is not null)
        {
            lila.AddFile($"/api/attestations/by-output/{output.Path}", attestations);
        }

        foreach (var key in keys)
        {
            var elector = new Elector.Cache(key.PublicKey.Name, key.PublicKey.Name, [key.PublicKey]);
            proxy.Caches.Add(new CacheOptions(elector, new Uri(lila.Url, "api"), CacheProtocol.Lila));
        }

        proxy.Change = options => options with
        {
            Deadline = TimeSpan.FromMinutes(2),
            Upstreams = [.. options.Upstreams.Where(upstream => upstream.Name is not "lila")],
        };
        return proxy;
    }
}
