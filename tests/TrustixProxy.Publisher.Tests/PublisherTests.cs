using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Publisher.Tests;

public sealed class PublisherTests : IDisposable
{
    private static readonly DateTimeOffset Long = DateTimeOffset.UtcNow.AddHours(-2);

    private readonly string _directory = Directory.CreateTempSubdirectory("trustix-spool-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task What_is_in_the_spool_gets_into_the_log_and_out_of_the_spool()
    {
        await using var node = await new TestLogNode().StartAsync();
        var (one, two, three) = (Make("one"), Make("two"), Make("three"));
        Spooled("1", [one]);
        Spooled("2", [two, three]);

        var pass = await OnceAsync(Options(node));

        Assert.Equal(new PublishPass(3, 0, 0, 0, 0, PublishFault.None), pass);
        Assert.Equal(Lines(one, two, three), await EntriesAsync(node));
        Assert.Equal(["lock"], Directory.GetFiles(_directory).Select(Path.GetFileName));
    }

    [Fact]
    public async Task What_Guix_builds_gets_into_the_log_and_a_lost_database_is_told()
    {
        using var machine = new GuixMachine();
        await using var node = await new TestLogNode().StartAsync();
        var options = Options(node) with { Guix = machine.Store };
        Assert.Equal(new PublishPass(0, 0, 0, 0, 0, PublishFault.None), await OnceAsync(options)); // a first start
        var hello = machine.Build("hello-1.0", DateTimeOffset.UtcNow);

        Assert.Equal(new PublishPass(1, 0, 0, 0, 0, PublishFault.None), await OnceAsync(options));

        Assert.Equal(Lines(hello), await EntriesAsync(node));
        File.Delete(Path.Combine(machine.State, "db", "db.sqlite"));
        Assert.Equal(PublishFault.NoGuix, (await OnceAsync(options)).Fault);
    }

    [Fact]
    public async Task What_is_delivered_again_is_in_the_log_once()
    {
        await using var node = await new TestLogNode().StartAsync();
        var (one, two) = (Make("one"), Make("two"));
        Spooled("1", [one]);
        await OnceAsync(Options(node));
        Spooled("1", [one]); // as after a crash between the log's answer and the removal
        Spooled("2", [one, two]);

        await OnceAsync(Options(node));

        Assert.Equal(Lines(one, two), await EntriesAsync(node));
    }

    [Fact]
    public async Task More_than_one_submission_holds_is_published_in_several()
    {
        await using var node = await new TestLogNode().StartAsync();
        for (var i = 0; i < 1203; i++)
        {
            Spooled($"{i}", [Make($"many-{i}")]);
        }

        var pass = await OnceAsync(Options(node));

        Assert.Equal((1203, 0, PublishFault.None), (pass.Paths, pass.Waiting, pass.Fault));
        Assert.Equal(1203UL, (await node.HeadAsync()).TreeSize);
    }

    [Fact]
    public async Task Excluded_names_never_reach_the_log()
    {
        await using var node = await new TestLogNode().StartAsync();
        var (open, secret) = (Make("open-1.0"), Make("secret-1.0"));
        Spooled("1", [open, secret]);
        Spooled("2", [secret]);

        var pass = await OnceAsync(Options(node) with { Filter = new NameFilter([], ["secret-*"]) });

        Assert.Equal(new PublishPass(1, 2, 0, 0, 0, PublishFault.None), pass);
        Assert.Equal(Lines(open), await EntriesAsync(node));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_this_machine_has_not_built_is_left_out_unless_told_so(bool isTold)
    {
        await using var node = await new TestLogNode().StartAsync();
        var (built, fetched) = (Make("built"), Make("fetched"));
        Spooled("1", [built]);
        Spooled("2", [fetched], isBuiltHere: false);

        var pass = await OnceAsync(Options(node) with { IncludesFetched = isTold });

        Assert.Equal((isTold ? 2 : 1, isTold ? 0 : 1, 0), (pass.Paths, pass.NotBuiltHere, pass.Waiting));
        Assert.Equal(isTold ? Lines(built, fetched) : Lines(built), await EntriesAsync(node));
    }

    [Fact]
    public async Task An_output_that_refers_to_an_excluded_name_is_left_out()
    {
        await using var node = await new TestLogNode().StartAsync();
        var (open, telling) = (Make("open-1.0"), TestOutput.Make("telling", 200, TestOutput.PathOf("secret-1.0")).Statement);
        Spooled("1", [open, telling]);

        var pass = await OnceAsync(Options(node) with { Filter = new NameFilter([], ["secret-*"]) });

        Assert.Equal((1, 1), (pass.Paths, pass.Excluded));
        Assert.Equal(Lines(open), await EntriesAsync(node));
    }

    [Fact]
    public async Task A_spool_of_more_bytes_than_a_call_holds_is_published_in_parts()
    {
        await using var node = await new TestLogNode().StartAsync();
        var references = References(7000);
        for (var i = 0; i < 50; i++)
        {
            Spooled($"{i}", [Make($"big-{i}") with { References = references }]); // 370 kB each; a log takes 16 MiB at once
        }

        var pass = await OnceAsync(Options(node));

        Assert.Equal((50, 0, PublishFault.None), (pass.Paths, pass.Waiting, pass.Fault));
    }

    [Fact]
    public async Task One_entry_that_is_too_long_alone_is_put_aside_and_the_rest_of_its_job_is_published()
    {
        await using var node = await new TestLogNode().StartAsync();
        var (good, other) = (Make("good"), Make("other"));
        Spooled("1", [good, Make("long") with { References = References(25_000) }]);
        Spooled("2", [other]);

        var pass = await OnceAsync(Options(node));

        Assert.Equal((2, 1, 0, PublishFault.None), (pass.Paths, pass.Rejected, pass.Waiting, pass.Fault));
        Assert.Equal(Lines(good, other), await EntriesAsync(node));
        Assert.Contains("-long, whose statement exceeds", await File.ReadAllTextAsync(Path.Combine(_directory, "rejected", "1.reason")),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_too_much_for_a_log_that_takes_less_is_halved_until_it_is_taken()
    {
        await using var node = await new TestLogNode().StartAsync();
        await using var narrow = await NarrowDoor.StartAsync(node.PrivateUrl, most: 6000);
        var small = Enumerable.Range(0, 40).Select(i => Make($"small-{i}")).ToArray();
        Spooled("1", [.. small.Take(20), Make("wide") with { References = References(200) }]);
        Spooled("2", [.. small.Skip(20)]);

        var pass = await OnceAsync(Options(node) with { Url = narrow.Url });

        Assert.Equal((40, 1, 0, PublishFault.None), (pass.Paths, pass.Rejected, pass.Waiting, pass.Fault));
        Assert.Equal(Lines(small), await EntriesAsync(node));
    }

    [Fact]
    public async Task A_path_that_the_log_holds_with_another_value_is_not_counted_as_published()
    {
        await using var node = await new TestLogNode().StartAsync();
        var ours = TestOutput.Make("twice", 200);
        await node.SubmitAsync((ours.Statement.Key, ours.Forge().Statement.Value));
        Spooled("1", [ours.Statement]);

        var pass = await OnceAsync(Options(node));

        Assert.Equal((0, 1, 0), (pass.Paths, pass.Contradicted, pass.Waiting));
    }

    [Fact]
    public async Task Only_outputs_of_the_job_are_published_and_what_nix_did_not_describe_is_given_up()
    {
        await using var node = await new TestLogNode().StartAsync();
        var (one, gone, stranger) = (Make("one"), Make("gone"), Make("stranger"));
        Spooled("1", [one, stranger], [one.Path, gone.Path]);

        var pass = await OnceAsync(Options(node));

        Assert.Equal(new PublishPass(1, 0, 1, 0, 0, PublishFault.None), pass);
        Assert.Equal(Lines(one), await EntriesAsync(node));
    }

    [Fact]
    public async Task All_outputs_of_the_derivation_are_published_when_the_hook_was_told_of_none()
    {
        await using var node = await new TestLogNode().StartAsync();
        var (one, two) = (Make("one"), Make("two"));
        Spooled("1", [one, two], []);

        Assert.Equal(2, (await OnceAsync(Options(node))).Paths);
    }

    [Fact]
    public async Task A_file_that_is_no_job_is_put_aside_and_holds_up_nothing()
    {
        await using var node = await new TestLogNode().StartAsync();
        File.WriteAllText(Path.Combine(_directory, "0.job"), "nonsense");
        File.WriteAllText(Path.Combine(_directory, "1.job"), new string('x', 2 << 20));
        Spooled("2", [Make("good")]);

        var pass = await OnceAsync(Options(node));

        Assert.Equal(new PublishPass(1, 0, 0, 2, 0, PublishFault.None), pass);
        Assert.Equal(["0.job", "0.reason", "1.job", "1.reason"],
            Directory.GetFiles(Path.Combine(_directory, "rejected")).Select(Path.GetFileName).Order());
    }

    [Fact]
    public async Task A_log_that_refuses_is_told_apart_from_one_that_cannot_be_reached_and_jobs_stay()
    {
        await using var node = await new TestLogNode().StartAsync();
        Spooled("1", [Make("one")]);
        var good = Options(node);
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var dead = new Uri($"http://{listener.LocalEndpoint}");
        listener.Stop();

        var wrongToken = await OnceAsync(good with { Token = NixSecretKey.Generate("peer") });
        var wrongName = await OnceAsync(good with { LogName = "other" });
        var publicListener = await OnceAsync(good with { Url = node.PublicUrl });
        var noLog = await OnceAsync(good with { Url = dead });

        Assert.All(
            [wrongToken, wrongName, publicListener], pass => Assert.Equal(new PublishPass(0, 0, 0, 0, 1, PublishFault.Refused), pass));
        Assert.Equal(new PublishPass(0, 0, 0, 0, 1, PublishFault.Unreachable), noLog);
        Assert.Equal(1, (await OnceAsync(good)).Paths);
    }

    [Fact]
    public async Task A_job_waits_for_its_description_and_a_damaged_one_counts_as_none()
    {
        await using var node = await new TestLogNode().StartAsync();
        var output = Make("one");
        Spool.Write(_directory, new SpoolJob("1", default, TestOutput.PathOf("x.drv"), [output.Path]));
        File.WriteAllText(Path.Combine(_directory, "1.info"), "[{\"path\":");
        using var publisher = new SpoolPublisher(Options(node) with { DescriptionWait = TimeSpan.FromMinutes(1) }, NullLogger.Instance);

        var publishing = publisher.OnceAsync(default);
        await Task.Delay(500);
        Assert.Equal(0UL, (await node.HeadAsync()).TreeSize);
        Spooled("1", [output]);

        Assert.Equal(1, (await publishing).Paths);
    }

    [Fact]
    public void What_became_valid_after_the_job_or_nobody_knows_when_is_not_taken_for_what_was_built()
    {
        var outputs = new[] { Make("built"), Make("replaced"), Make("unknown"), Make("gone") };
        var job = new SpoolJob("1", DateTimeOffset.FromUnixTimeSeconds(1000), TestOutput.PathOf("x.drv"), []);
        DescribedOutput[] described = [Described(outputs[0], 1000), Described(outputs[1], 1001), new(outputs[2], null, null)];

        var certain = JobOutputs.Certain(job, [.. outputs.Select(output => output.Path)], described);

        Assert.Equal([outputs[0]], certain.Outputs.Select(output => output.Statement));
        Assert.Equal(
            $"{outputs[3].Path} was garbage-collected; {outputs[1].Path}, {outputs[2].Path} may have been replaced since it was built",
            certain.Lost);
    }

    [Fact]
    public async Task Being_told_to_end_in_the_middle_leaves_the_job_where_it_is()
    {
        using var mute = new TcpListener(IPAddress.Loopback, 0);
        mute.Start();
        Spooled("1", [Make("one")]);
        var options = new PublisherOptions
        {
            Url = new Uri($"http://{mute.LocalEndpoint}"),
            Token = NixSecretKey.Generate("peer"),
            SpoolDirectory = _directory
        };
        using var publisher = new SpoolPublisher(options, NullLogger.Instance);
        using var stop = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => publisher.RunAsync(stop.Token));

        Assert.True(File.Exists(Path.Combine(_directory, "1.job")));
    }

    [Fact]
    public async Task Jobs_are_published_as_they_come_until_it_is_told_to_end()
    {
        await using var node = await new TestLogNode().StartAsync();
        using var publisher = new SpoolPublisher(Options(node), NullLogger.Instance);
        using var stop = new CancellationTokenSource();
        var publishing = publisher.RunAsync(stop.Token);
        foreach (var id in new[] { "1", "2" })
        {
            Spooled(id, [Make(id)]);
            for (var i = 0; i < 100 && File.Exists(Path.Combine(_directory, $"{id}.job")); i++)
            {
                await Task.Delay(100);
            }
        }

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => publishing);
        Assert.Equal(2UL, (await node.HeadAsync()).TreeSize);
    }

    [Fact]
    public void Pauses_double_up_to_a_bound_and_are_not_all_alike()
    {
        Assert.Equal(TimeSpan.FromSeconds(1), SpoolPublisher.Pause(PublishFault.None, 0));
        foreach (var (fault, first, most) in new[] { (PublishFault.Unreachable, 1.0, 60.0), (PublishFault.NoNix, 1, 60),
            (PublishFault.Refused, 30, 300) })
        {
            for (var failures = 1; failures < 1000; failures++)
            {
                var whole = Math.Min(most, first * Math.Pow(2, failures - 1));
                Assert.InRange(SpoolPublisher.Pause(fault, failures).TotalSeconds, whole / 2, whole);
            }
        }

        Assert.True(Enumerable.Range(0, 20).Select(_ => SpoolPublisher.Pause(PublishFault.Unreachable, 9)).Distinct().Count() > 1);
    }

    private static BuildStatement Make(string name)
    {
        var output = TestOutput.Make(name, 200, TestOutput.PathOf("dependency"));
        return output.Statement;
    }

    private static StorePath[] References(int count) => [.. Enumerable.Range(0, count).Select(i => TestOutput.PathOf($"a-reference-{i}"))];

    private static DescribedOutput Described(BuildStatement statement, long seconds) =>
        new(statement, true, DateTimeOffset.FromUnixTimeSeconds(seconds));

    private static IEnumerable<string> Lines(params BuildStatement[] statements) =>
        statements.Select(statement => $"{statement.Path.Absolute} {Convert.ToHexString(SHA256.HashData(statement.Value))}")
            .Order(StringComparer.Ordinal);

    private static async Task<IEnumerable<string>> EntriesAsync(TestLogNode node)
    {
        var size = (await node.HeadAsync()).TreeSize;
        var entries = await node.CallAsync("LogAPI/GetLogEntries",
            new GetLogEntriesRequest { LogID = node.LogId, Start = 0, Finish = size - 1 }, LogEntriesResponse.Parser);
        return entries.Leaves.Select(leaf => $"{Encoding.ASCII.GetString(leaf.Key.Span)} {Convert.ToHexString(leaf.ValueDigest.Span)}")
            .Order(StringComparer.Ordinal);
    }

    private PublisherOptions Options(TestLogNode node) =>
        new() { Url = node.PrivateUrl, Token = node.Token, LogName = "test", SpoolDirectory = _directory };

    private static async Task<PublishPass> OnceAsync(PublisherOptions options)
    {
        using var publisher = new SpoolPublisher(options, NullLogger.Instance);
        return await publisher.OnceAsync(default);
    }

    /// <summary>Puts a job and its description into the spool, as a hook does.</summary>
    private void Spooled(
        string id, IReadOnlyList<BuildStatement> described, IReadOnlyList<StorePath>? outputs = null, bool? isBuiltHere = true)
    {
        var job = new SpoolJob(id, default, TestOutput.PathOf("x.drv"), outputs ?? [.. described.Select(output => output.Path)]);
        Spool.Describe(_directory, job, described.Select(statement => new DescribedOutput(statement, isBuiltHere, null)));
        Spool.Write(_directory, job);
        File.SetLastWriteTimeUtc(Path.Combine(_directory, $"{id}.job"), Long.UtcDateTime.AddSeconds(int.Parse(id)));
    }
}
