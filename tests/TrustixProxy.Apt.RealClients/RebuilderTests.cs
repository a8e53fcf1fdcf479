using System.Net;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Native;
using TrustixProxy.Testing;

namespace TrustixProxy.Apt.RealClients;

/// <summary>Rebuilders with another key, and silent, slow and lying ones: none gets a .deb through, or keeps others from it.</summary>
[Collection(AptLabCollection.Name)]
public sealed class RebuilderTests(AptLab lab)
{
    [AptFact]
    public async Task A_link_counts_by_the_key_that_is_configured_and_by_no_other()
    {
        await using var carol = await Rebuilder.StartAsync(lab.Directory, "carol", signs: false); // her worker alone signs
        await carol.ReportAsync(lab.Folder, [new Report(AptLab.Hello, Finding.Good)]);
        var alice = lab.Both[0];
        var anyKey = Attestation.PemOf(Ed25519SigningKey.Generate().PublicKey);
        await using var another = await StartGateAsync(alice, ("bob", lab.Bob.Url, anyKey));
        await using var unsigned = await StartGateAsync(alice, ("carol", carol.Url, carol.PublicKey));
        await using var workers = await StartGateAsync(
            alice, ("carol", carol.Url, Attestation.PemOf(carol.WorkerKey.PublicKey)));

        foreach (var gate in new[] { another, unsigned })
        {
            var client = await lab.StartClientAsync(gate);
            var refused = await client.InstallAsync("hello");

            Assert.False(refused.IsGood);
            Assert.Contains("403  Refused by policy: 1 of 2 rebuilders (alice: good, ", refused.Text, StringComparison.Ordinal);
            Assert.False(client.Has(AptLab.Hello));
        }

        var installed = await (await lab.StartClientAsync(workers)).InstallAsync("hello");
        Assert.True(installed.IsGood, installed.Text);
    }

    [AptFact]
    public async Task A_rebuilder_that_is_slow_is_waited_for_and_one_that_hangs_is_not_waited_for_when_it_changes_nothing()
    {
        await using var relay = await Relay.StartAsync(lab.Bob.Url);
        await using var gate = await StartGateAsync(lab.Both[0], ("bob", relay.Url.ToString(), lab.Bob.PublicKey));
        relay.Delay = TimeSpan.FromSeconds(1);

        var client = await lab.StartClientAsync(gate);
        var slow = await client.InstallAsync("hello");

        Assert.True(slow.IsGood, slow.Text);

        relay.Delay = TimeSpan.FromHours(1);
        var third = ("carol", relay.Url.ToString(), Attestation.PemOf(Ed25519SigningKey.Generate().PublicKey));
        await using var decided = await Gate.StartAsync(
            lab.Directory, lab.Archive.Url, [.. lab.Both, third], root => root["policy"]!["quorum"] = 2);
        var quick = await (await lab.StartClientAsync(decided)).InstallAsync("hello");

        Assert.True(quick.IsGood, quick.Text);
        Assert.True(quick.Took < TimeSpan.FromSeconds(9), $"{quick.Took}"); // the deadline is 10 s
    }

    [AptFact]
    public async Task A_rebuilder_that_hangs_is_an_outage()
    {
        await using var relay = await Relay.StartAsync(lab.Bob.Url);
        relay.Delay = TimeSpan.FromHours(1);
        await using var gate = await Gate.StartAsync(lab.Directory, lab.Archive.Url,
            [lab.Both[0], ("bob", relay.Url.ToString(), lab.Bob.PublicKey)], root => root["deadline"] = "00:00:01");
        var client = await lab.StartClientAsync(gate);

        var silent = await client.TryInstallAsync("hello");

        Assert.False(silent.IsGood);
        Assert.Contains("503  ", silent.Text, StringComparison.Ordinal);
        Assert.True(silent.Took < TimeSpan.FromSeconds(5), $"{silent.Took}");
    }

    [AptFact]
    public async Task A_rebuilder_that_lies_has_no_vote()
    {
        await using var liar = await Liar.StartAsync();
        var own = Ed25519SigningKey.Generate();
        var (file, sha256) = lab.Folder.Of(AptLab.Sl);
        var good = Attestation.Of(file, sha256, own);
        var signed = good[good.IndexOf("\"signed\":", StringComparison.Ordinal)..];
        (string What, string Link)[] lies =
        [
            ("no JSON", "good"),
            ("nothing", ""),
            ("no signature", $$"""{"signatures":[],{{signed}}"""),
            ("another's signature", Attestation.Of(file, sha256, Ed25519SigningKey.Generate())),
            ("a changed digest", good.Replace(sha256, lab.Folder.Of(AptLab.Hello).Sha256, StringComparison.Ordinal)),
            ("another version", Attestation.Of(file.Replace("5.02", "5.03", StringComparison.Ordinal), sha256, own)),
            ("a member twice", good.Replace("\"products\":{", "\"products\":{},\"products\":{", StringComparison.Ordinal)),
            ("more than is read", good + new string(' ', 9 << 20)),
        ];

        foreach (var (what, link) in lies)
        {
            var status = await AskAsync(link);
            Assert.True(status is HttpStatusCode.Forbidden or HttpStatusCode.ServiceUnavailable, $"{what}: {status}");
        }

        Assert.Equal(HttpStatusCode.OK, await AskAsync(good)); // the same without a lie

        async Task<HttpStatusCode> AskAsync(string link)
        {
            liar.Link = link;
            await using var gate = await StartGateAsync(lab.Both[0], ("liar", liar.Url.ToString(), Attestation.PemOf(own.PublicKey)));
            using var client = new HttpClient();
            using var answer = await client.GetAsync(new Uri($"{gate.Archive}/{AptLab.Sl.PathFor(lab.Folder.Machine)}"));
            return answer.StatusCode;
        }
    }

    private Task<Gate> StartGateAsync(params (string Name, string Url, string PublicKey)[] rebuilders) =>
        Gate.StartAsync(lab.Directory, lab.Archive.Url, rebuilders);

    /// <summary>Passes requests on to a rebuilder.</summary>
    private sealed class Relay(string target) : FakeServer
    {
        private readonly HttpClient _http = new();

        public static async Task<Relay> StartAsync(string target)
        {
            var relay = new Relay(target);
            await relay.ListenAsync();
            return relay;
        }

        protected override async Task AnswerAsync(HttpContext context)
        {
            using var response = await _http.GetAsync(new Uri($"{target}{context.Request.Path}{context.Request.QueryString}"));
            context.Response.StatusCode = (int)response.StatusCode;
            await response.Content.CopyToAsync(context.Response.Body);
        }
    }

    /// <summary>Says GOOD of every package, and gives one link for all.</summary>
    private sealed class Liar : FakeServer
    {
        public string Link { get; set; } = "";

        public static async Task<Liar> StartAsync()
        {
            var liar = new Liar();
            await liar.ListenAsync();
            return liar;
        }

        protected override Task AnswerAsync(HttpContext context) => context.Response.WriteAsync(
            context.Request.Path.Value!.EndsWith("/packages/binary", StringComparison.Ordinal)
                ? GoodRecord.Of(context.Request.Query, AptLab.Sl.Version, number: 1) : Link);
    }
}
