using TrustixProxy.Consensus;
using TrustixProxy.IO.Certificates;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.FrontDoor;
using TrustixProxy.Substituter.Hosting;
using TrustixProxy.Substituter.Revocations;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Operations;

/// <summary>Another configuration takes the place of the one in force while requests come.</summary>
public sealed class ReloadTests
{
    [Fact]
    public async Task What_is_under_way_is_answered_under_the_old_policy_and_what_comes_under_the_new_one()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        var (asked, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        proxy.Upstream().Intercept = async _ =>
        {
            asked.TrySetResult();
            await go.Task;
            return false;
        };
        proxy.Change = options => options with { Deadline = TimeSpan.FromSeconds(30) };
        await proxy.Publish(output, "alice", "bob").StartAsync();

        var under = proxy.AskAsync(output.Path);
        await asked.Task;
        Assert.Empty(await proxy.ReloadAsync(options => options with { Policy = new Policy(options.Policy.Electors, 3) }));
        go.SetResult();

        Assert.Equal("agreed", (await under).Decision);
        Assert.Equal("undecided", (await proxy.AskAsync(output.Path)).Decision);
    }

    [Fact]
    public async Task No_request_is_lost_while_the_configuration_changes_again_and_again()
    {
        var output = TestOutput.Make(size: 200_000);
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.AddUpstreamAsync("spare");
        proxy.Change = options => options with { Deadline = TimeSpan.FromSeconds(20) };
        await proxy.Publish(output, "alice", "bob", "carol").StartAsync();
        var narInfo = await proxy.NarInfoAsync(output);
        using var stop = new CancellationTokenSource();
        async Task<int> LoadAsync()
        {
            var count = 0;
            for (; !stop.IsCancellationRequested; count++)
            {
                Assert.Equal(narInfo.NarHash, (await proxy.NarInfoAsync(output)).NarHash);
                Assert.Equal(output.Nar, await proxy.NarAsync(narInfo));
            }

            return count;
        }

        var load = Enumerable.Range(0, 4).Select(_ => Task.Run(LoadAsync)).ToList();
        for (var i = 0; i < 12; i++)
        {
            Assert.Empty(await proxy.ReloadAsync(options =>
                options with { Policy = new Policy(options.Policy.Electors, 1 + (i % 3)), Upstreams = [.. options.Upstreams.Reverse()] }));
            await proxy.AskAsync(output.Path);
        }

        await stop.CancelAsync();
        Assert.True((await Task.WhenAll(load)).Sum() > 0);
    }

    [Fact]
    public async Task Logs_upstreams_and_keys_are_those_of_the_new_configuration_and_the_old_ones_end()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.AddUpstreamAsync("spare");
        proxy.Change = options => options with { Deadline = TimeSpan.FromSeconds(1), Upstreams = [options.Upstreams[0]] };
        await proxy.Publish(output, "alice", "bob").StartAsync();
        await proxy.NarInfoAsync(output);
        var key = NixSecretKey.Generate("proxy-test-2");
        await proxy.Upstream().StopAsync();
        var log = proxy.Options!.Logs[0];

        Assert.Empty(await proxy.ReloadAsync(options => options with
        {
            SigningKey = key,
            Logs = [log, options.Logs[1]],
            Policy = new Policy([log.Elector, options.Logs[1].Elector], 2),
            Upstreams = [new UpstreamOptions("spare", proxy.Upstream("spare").Url, 10)],
        }));
        var answer = await proxy.AskAsync(output.Path);

        Assert.True(NarInfo.TryParse(System.Text.Encoding.ASCII.GetBytes(answer.Text), out var narInfo, out _), answer.Text);
        Assert.Contains(narInfo.Signatures, signature => key.PublicKey.Verify(narInfo.Fingerprint, signature));
        Assert.Equal(output.Nar, await proxy.NarAsync(narInfo));
        while (!proxy.Lines.Any(line => line.StartsWith("Information 1002 ", StringComparison.Ordinal)))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50));
        }

        Assert.Equal("agreed", (await proxy.AskAsync(output.Path)).Decision);
        Assert.DoesNotContain(proxy.Lines, line => line.StartsWith("Error ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_is_revoked_stays_so_whatever_the_configuration_and_can_be_revoked_under_the_new_one()
    {
        var (output, other) = (TestOutput.Make(), TestOutput.Make("other-1.0"));
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(output, "alice", "bob").Publish(other, "alice", "bob").StartAsync();
        using var revoker = new Revoker(proxy.Options!);
        await revoker.RevokeAsync(new RevokedSubject.Path(output.Path.Digest), isUndone: false, "stolen", default);

        Assert.Empty(await proxy.ReloadAsync(options => options with { SigningKey = NixSecretKey.Generate("proxy-test-2") }));
        await revoker.RevokeAsync(new RevokedSubject.Path(other.Path.Digest), isUndone: false, "stolen", default);

        Assert.Equal(("revoked", "revoked"), ((await proxy.AskAsync(output.Path)).Decision, (await proxy.AskAsync(other.Path)).Decision));
    }

    [Fact]
    public async Task A_mirror_goes_on_where_it_was()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options =>
            options with
            {
                Logs = [.. options.Logs.Select(log => log with { IsMirrored = true })],
                MirrorPollInterval = TimeSpan.FromMilliseconds(100)
            };
        await proxy.Publish(output, "alice", "bob").StartAsync();
        while ((await proxy.AskAsync(output.Path)).Decision is not "agreed")
        {
            Assert.Empty(await proxy.ReloadAsync(options => options)); // its mirrors are not begun anew each time
        }

        var later = TestOutput.Make("later-1.0");
        proxy.Publish(later, "alice", "bob");
        Assert.Empty(await proxy.ReloadAsync(options => options with { Deadline = TimeSpan.FromSeconds(3) }));
        while ((await proxy.AskAsync(later.Path)).Decision is not "agreed")
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20));
        }
    }

    [Fact]
    public async Task A_new_certificate_is_shown_to_new_connections_and_old_ones_live_on()
    {
        var folder = Directory.CreateTempSubdirectory("trustix-reload-").FullName;
        TlsCertificate Load(string name)
        {
            var (file, key) = TestCertificate.Write(folder, name);
            Assert.True(TlsCertificate.TryLoad(file, key, out var certificate, out _));
            return certificate;
        }

        await using var proxy = await new TestProxy
        {
            Change = options => options with
            {
                FrontDoor =
            options.FrontDoor with { Listen = ["https://127.0.0.1:0"], Certificate = Load("first") }
            }
        }.StartAsync();
        var shown = new System.Collections.Concurrent.ConcurrentQueue<string>();
        bool IsOurs(string subject)
        {
            shown.Enqueue(subject);
            return subject is "CN=first" or "CN=second";
        }

        HttpClient Connect() =>
            new(new SocketsHttpHandler
            {
                SslOptions =
            { RemoteCertificateValidationCallback = (_, certificate, _, _) => IsOurs(certificate!.Subject) }
            });
        using var old = Connect();
        await old.GetStringAsync(new Uri(proxy.Url, "nix-cache-info"));

        Assert.Empty(
            await proxy.ReloadAsync(options => options with { FrontDoor = options.FrontDoor with { Certificate = Load("second") } }));
        using var young = Connect();
        await young.GetStringAsync(new Uri(proxy.Url, "nix-cache-info"));
        await old.GetStringAsync(new Uri(proxy.Url, "nix-cache-info"));

        Assert.Equal(["CN=first", "CN=second"], shown);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task What_is_bound_to_sockets_and_to_the_disk_is_refused_and_all_stays_as_it_was()
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.StartAsync();

        var refused = await proxy.ReloadAsync(
            options =>
            options with
            {
                OperationsListen = ["http://127.0.0.1:2"],
                StateDirectory = "/nowhere",
                FrontDoor = options.FrontDoor with { Listen = ["http://127.0.0.1:1"], LeastBytesPerSecond = 1 },
                Answers = options.Answers with { Priority = 99 }
            });

        Assert.Equal(["listen", "limits.leastBytesPerSecond", "operations.listen", "stateDirectory"], refused);
        Assert.Contains("Priority: 30\n", (await proxy.AskAsync("nix-cache-info")).Text, StringComparison.Ordinal);
        Assert.Empty(await proxy.ReloadAsync(options => options with { Answers = options.Answers with { Priority = 99 } }));
        Assert.Contains("Priority: 99\n", (await proxy.AskAsync("nix-cache-info")).Text, StringComparison.Ordinal);
    }
}
