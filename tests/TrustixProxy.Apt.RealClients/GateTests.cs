using System.Net;
using System.Text.Json.Nodes;

namespace TrustixProxy.Apt.RealClients;

/// <summary>D1: a real apt gets what two real rebuilders vouch for, and is told why it does not get the rest.</summary>
[Collection(AptLabCollection.Name)]
public sealed class GateTests(AptLab lab)
{
    /// <summary>What a .deb that one of two rebuilders has is refused with: in the reason phrase, which apt prints.</summary>
    private const string Refusal = "403  Refused by policy: 1 of 2 rebuilders (alice: good, bob: bad), 2 of 2 needed";

    [AptTheory]
    [EachApt]
    public async Task What_both_rebuilders_built_alike_is_installed(string apt)
    {
        await using var gate = await lab.StartGateAsync();
        var client = await lab.StartClientAsync(gate, apt);

        var installed = await client.InstallAsync("hello");

        Assert.True(installed.IsGood, installed.Text);
        Assert.True(client.Has(AptLab.Hello));
    }

    [AptTheory]
    [EachApt]
    public async Task What_they_built_differently_is_refused_at_once_and_apt_prints_why(string apt)
    {
        await using var gate = await lab.StartGateAsync();
        var client = await lab.StartClientAsync(gate, apt);

        AptResult[] refused =
            [await client.InstallAsync("sl"), await client.InstallAsync("sl"), await client.InstallAsync("sl")];

        Assert.All(refused, result => Assert.False(result.IsGood));
        Assert.All(refused, result => Assert.Contains(Refusal, result.Text, StringComparison.Ordinal));
        Assert.True(refused.Min(result => result.Took) < TimeSpan.FromSeconds(2), string.Join('\n', refused.AsEnumerable()));
        Assert.False(client.Has(AptLab.Sl));
    }

    [AptTheory]
    [EachApt]
    public async Task Of_three_packages_that_need_each_other_none_is_installed_when_one_is_refused(string apt)
    {
        await using var gate = await lab.StartGateAsync();
        var client = await lab.StartClientAsync(gate, apt);

        var refused = await client.InstallAsync("train");

        Assert.False(refused.IsGood);
        var path = AptLab.Sl.PathFor(lab.Folder.Machine).Replace("+", "%2b", StringComparison.Ordinal);
        Assert.Contains($"E: Failed to fetch {gate.Archive}/{path}  {Refusal}", refused.Text, StringComparison.Ordinal);
        Assert.Single(refused.Text.Split('\n'), line => line.StartsWith("E: Failed to fetch", StringComparison.Ordinal));
        Assert.False(client.Has(AptLab.Hello) || client.Has(AptLab.Sl) || client.Has(AptLab.Train));

        var others = await client.InstallAsync("reader"); // words and hello come with it

        Assert.True(others.IsGood, others.Text);
        Assert.True(client.Has(AptLab.Hello) && client.Has(AptLab.Words) && client.Has(AptLab.Reader));
    }

    [AptTheory]
    [EachApt]
    public async Task A_version_with_an_epoch_plus_and_tilde_and_one_of_all_architectures_are_installed(string apt)
    {
        await using var gate = await lab.StartGateAsync();
        var client = await lab.StartClientAsync(gate, apt);

        var installed = await client.InstallAsync($"{AptLab.Odd.Name}={AptLab.Odd.Version}", "words", "twice");

        Assert.True(installed.IsGood, installed.Text);
        Assert.True(client.Has(AptLab.Odd) && client.Has(AptLab.Words) && client.Has(AptLab.Twice));
    }

    [AptFact]
    public async Task A_link_of_another_file_or_of_another_digest_is_no_vote()
    {
        await using var gate = await lab.StartGateAsync();
        var client = await lab.StartClientAsync(gate);

        foreach (var package in new[] { AptLab.OtherFile, AptLab.OtherDigest, AptLab.Unheard })
        {
            var refused = await client.InstallAsync(package.Name);

            Assert.False(refused.IsGood);
            Assert.Contains("403  Refused by policy: 1 of 2 rebuilders (alice: good, ", refused.Text, StringComparison.Ordinal);
            Assert.False(client.Has(package));
        }
    }

    [AptFact]
    public async Task Exceptions_scopes_and_report_mode_let_through_what_they_name()
    {
        var exceptions = new JsonArray(new JsonObject
        {
            ["match"] = "sl",
            ["accept"] = "archive",
            ["reason"] = "its build is not reproducible yet",
            ["expires"] = "2999-01-01",
        });
        await using var excepted = await lab.StartGateAsync(root => root["policy"]!["exceptions"] = exceptions);
        await using var scoped = await lab.StartGateAsync(root =>
            root["policy"]!["scopes"] = new JsonArray(new JsonObject { ["match"] = "s*", ["quorum"] = 1 }));
        await using var reporting = await lab.StartGateAsync(root => root["mode"] = "report");
        foreach (var gate in new[] { excepted, scoped, reporting })
        {
            var client = await lab.StartClientAsync(gate);

            var installed = await client.InstallAsync("sl");

            Assert.True(installed.IsGood, $"{gate.Configuration}: {installed.Text}");
            Assert.True(client.Has(AptLab.Sl));
            Assert.Equal(ReferenceEquals(gate, reporting), (await client.InstallAsync("unheard")).IsGood);
        }
    }

    [AptFact]
    public async Task A_deb_of_which_no_index_passed_is_hashed_and_then_decided_on()
    {
        await using var gate = await lab.StartGateAsync();
        using var client = new HttpClient();
        Uri At(TestPackage package) => new($"{gate.Archive}/{package.PathFor(lab.Folder.Machine)}");

        using var good = await client.GetAsync(At(AptLab.Hello));
        using var refused = await client.GetAsync(At(AptLab.Sl));

        Assert.Equal(HttpStatusCode.OK, good.StatusCode);
        Assert.Equal(await File.ReadAllBytesAsync(Path.Combine(lab.Folder.Path, AptLab.Hello.PathFor(lab.Folder.Machine))),
            await good.Content.ReadAsByteArrayAsync());
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
    }
}
