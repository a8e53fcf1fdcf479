using System.Diagnostics;
using System.Net;
using Google.Protobuf;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Substituter.Tests.Mirrors;

/// <summary>A mirrored log is followed and verified whole; decisions then ask it nothing, and what it could not have signed is never taken
/// in.</summary>
public sealed class MirrorTests
{
    private static readonly string[] Following = ["GetHead", "GetLogEntries", "GetLogConsistencyProof", "GetMHLogConsistencyProof"];

    [Fact]
    public async Task Decisions_ask_a_mirrored_log_nothing()
    {
        var outputs = Enumerable.Range(0, 30).Select(i => TestOutput.Make($"path-{i}", references: TestOutput.PathOf("reference")))
            .ToList();
        await using var proxy = await MirroringAsync(outputs);

        foreach (var output in outputs)
        {
            await proxy.NarInfoAsync(output);
        }

        Assert.All(new[] { "alice", "bob", "carol" }, name => Assert.All(proxy.Log(name).Calls, call => Assert.Contains(call, Following)));
    }

    [Fact]
    public async Task A_value_that_no_upstream_spells_out_is_asked_for_and_nothing_else_is()
    {
        var output = TestOutput.Make();
        await using var proxy = await MirroringAsync([output]);
        proxy.Upstream().Add(output, change: text => text.Replace("NarSize: ", "NarSize: 1", StringComparison.Ordinal));

        await proxy.NarInfoAsync(output);
        await UntilAsync(() => proxy.Log("alice").Calls.Contains("GetValue")); // the verdict does not wait for all three

        Assert.Equal(["GetValue"], proxy.Log("alice").Calls.Except(Following));
    }

    [Fact]
    public async Task With_all_logs_away_a_mirror_decides_also_after_a_restart()
    {
        var outputs = Enumerable.Range(0, 3).Select(i => TestOutput.Make($"path-{i}")).ToList();
        await using var proxy = await MirroringAsync(outputs);
        foreach (var name in new[] { "alice", "bob", "carol" })
        {
            await proxy.Log(name).StopAsync();
        }

        await proxy.NarInfoAsync(outputs[0]);
        await proxy.RestartAsync();

        await proxy.NarInfoAsync(outputs[1]);
    }

    [Fact]
    public async Task An_earlier_key_of_another_name_with_the_same_digest_hides_nothing()
    {
        var output = TestOutput.Make();
        Assert.True(StorePath.TryParse($"{output.Path.Digest}-other", out var other, out _));
        await using var proxy = await MirroringAsync([TestOutput.At(other, "other"u8.ToArray()), output]);

        await proxy.NarInfoAsync(output);
    }

    [Fact]
    public async Task What_is_published_later_is_followed_and_what_is_not_is_absent()
    {
        var (first, late, nowhere) = (TestOutput.Make(), TestOutput.Make("late-1.0"), TestOutput.Make("nowhere-1.0"));
        await using var proxy = await MirroringAsync([first]);
        proxy.Upstream().Add(nowhere);

        var refused = await proxy.AskAsync(nowhere.Path);
        proxy.Publish(late, "alice", "bob");
        await UntilAsync(() => proxy.Log("alice").Calls.Count(call => call is "GetLogEntries") > 1
            && proxy.Log("bob").Calls.Count(call => call is "GetLogEntries") > 1);

        Assert.Equal("undecided", refused.Decision);
        Assert.Contains("alice=absent", refused.Text, StringComparison.Ordinal);
        await proxy.NarInfoAsync(late);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(0, false)]
    [InlineData(7, true)]
    [InlineData(16, false)]
    [InlineData(19, true)]
    [InlineData(19, false)]
    public async Task A_wrong_entry_at_any_index_is_not_taken_in_and_the_right_one_is(int index, bool isKey)
    {
        var outputs = Enumerable.Range(0, 20).Select(i => TestOutput.Make($"path-{i}")).ToList();
        await using var proxy = await WithMirrorsAsync();
        outputs.ForEach(output => proxy.Publish(output, "alice", "bob"));
        proxy.Log("alice").TwistEntry = (i, leaf) => i != index ? leaf
            : isKey ? new LogLeaf(leaf) { Key = ByteString.CopyFromUtf8("/nix/store/other") }
            : new LogLeaf(leaf) { ValueDigest = ByteString.CopyFrom(new byte[32]) };
        await proxy.StartAsync();

        var refused = await proxy.AskAsync(outputs[3].Path);
        proxy.Log("alice").TwistEntry = null;

        Assert.Equal(HttpStatusCode.NotFound, refused.Status);
        Assert.Contains("alice=silent(mirror-incomplete)", refused.Text, StringComparison.Ordinal);
        Assert.Contains(proxy.Lines, line => line.Contains("do not match its signed head", StringComparison.Ordinal));
        await UntilAsync(() => IsThere(proxy, "alice"));
        await proxy.NarInfoAsync(outputs[4]);
    }

    [Fact]
    public async Task A_log_whose_entries_do_not_make_its_map_does_not_vote()
    {
        var outputs = Enumerable.Range(0, 3).Select(i => TestOutput.Make($"path-{i}")).ToList();
        await using var proxy = await WithMirrorsAsync();
        proxy.Publish(outputs[0], "alice", "bob");
        proxy.Log("alice").Lie = LogLie.EntryOfOtherLeaf; // entries say one thing, the map another, both under one signature
        proxy.Publish(outputs[1], "alice", "bob");
        await proxy.StartAsync();

        var refused = await proxy.AskAsync(outputs[0].Path);

        Assert.Contains("alice=silent(mirror-incomplete)", refused.Text, StringComparison.Ordinal);
        Assert.Contains(proxy.Lines, line => line.Contains("do not give the map", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_mirrored_log_that_shows_another_history_is_frozen()
    {
        var outputs = Enumerable.Range(0, 3).Select(i => TestOutput.Make($"path-{i}")).ToList();
        await using var proxy = await MirroringAsync(outputs);

        proxy.Log("alice").ForkNow(keep: 1);
        foreach (var i in Enumerable.Range(0, 4))
        {
            proxy.Publish(TestOutput.Make($"other-{i}"), "alice");
        }

        await UntilAsync(() => proxy.Lines.Any(line => line.StartsWith("Critical 3002", StringComparison.Ordinal)));
        await proxy.NarInfoAsync(outputs[0]); // bob and carol are still two
    }

    [Theory]
    [InlineData(1)]
    [InlineData(9)]
    [InlineData(40)]
    public async Task A_log_that_repeats_a_key_with_other_values_is_frozen_with_evidence_and_the_others_go_on(int times)
    {
        var outputs = Enumerable.Range(0, 3).Select(i => TestOutput.Make($"path-{i}")).ToList();
        await using var proxy = await WithMirrorsAsync();
        outputs.ForEach(output => proxy.Publish(output, "alice", "bob", "carol"));
        Enumerable.Range(0, times).ToList().ForEach(i => proxy.Log("alice").Log.Repeat(outputs[1].Statement.Key, [(byte)i]));
        await proxy.StartAsync();

        await UntilAsync(() => IsThere(proxy, "bob") && IsThere(proxy, "carol"));
        await UntilAsync(() => proxy.Lines.Any(line => line.Contains("Log alice is frozen: repeated-key", StringComparison.Ordinal)));

        await proxy.NarInfoAsync(outputs[0]);
        Assert.Contains(proxy.Lines, line => line.Contains(
            "Mirror of alice made no progress: entry 3 has the key of entry 1 and another value", StringComparison.Ordinal));
        var evidence = await File.ReadAllBytesAsync(Assert.Single(Directory.GetFiles(Path.Combine(proxy.StateDirectory, "evidence"))));
        Assert.True(FaultEvidence.TryVerify(evidence, [proxy.Log("alice").Log.Signer.Key], out var read, out _));
        Assert.Equal("repeated-key", read.Fault.Kind);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(9)]
    public async Task A_log_that_repeats_an_entry_as_it_is_does_not_vote_and_its_remedy_is_named(int times)
    {
        var outputs = Enumerable.Range(0, 3).Select(i => TestOutput.Make($"path-{i}")).ToList();
        await using var proxy = await WithMirrorsAsync();
        proxy.Publish(outputs[0], "alice", "bob");
        proxy.Publish(outputs[1], "alice", "carol");
        Enumerable.Range(0, times).ToList()
            .ForEach(_ => proxy.Log("alice").Log.Repeat(outputs[0].Statement.Key, outputs[0].Statement.Value));
        await proxy.StartAsync();

        await UntilAsync(() => proxy.Lines.Any(line => line.Contains(
            "entry 2 has the key of entry 0 and the same value: a log that repeats a key is not mirrored", StringComparison.Ordinal)));

        Assert.Contains("alice=silent(mirror-incomplete)", (await proxy.AskAsync(outputs[0].Path)).Text, StringComparison.Ordinal);
        Assert.DoesNotContain(proxy.Lines, line => line.StartsWith("Critical 3002", StringComparison.Ordinal));
        await proxy.StopAsync().WaitAsync(TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task What_was_published_a_second_ago_is_found_however_seldom_mirrors_poll_and_heads_are_not_fetched_for_each_request()
    {
        var (first, late) = (TestOutput.Make(), TestOutput.Make("late-1.0"));
        await using var proxy = await MirroringAsync([first], pollInterval: TimeSpan.FromHours(1));
        proxy.Publish(late, "alice", "bob", "carol");
        await Task.Delay(1100); // a head may be believed for a second

        await proxy.NarInfoAsync(late);

        var absent = Enumerable.Range(0, 100).Select(i => TestOutput.Make($"nowhere-{i}")).ToList();
        absent.ForEach(output => proxy.Publish(output));
        var before = proxy.Log("alice").Calls.Count(call => call is "GetHead");
        var start = Stopwatch.GetTimestamp();
        await Task.WhenAll(absent.Select(output => proxy.AskAsync(output.Path)));
        var most = 1 + (int)Stopwatch.GetElapsedTime(start).TotalSeconds;
        Assert.InRange(proxy.Log("alice").Calls.Count(call => call is "GetHead") - before, 0, 1 + most);
    }

    private static async Task<TestProxy> WithMirrorsAsync(TimeSpan? pollInterval = null)
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options => options with
        {
            Logs = [.. options.Logs.Select(log => log with { IsMirrored = true })],
            MirrorPollInterval = pollInterval ?? TimeSpan.FromMilliseconds(200),
        };
        return proxy;
    }

    /// <summary>A proxy over three logs that publish all this, once it has followed them to their ends.</summary>
    private static async Task<TestProxy> MirroringAsync(IReadOnlyList<TestOutput> outputs, TimeSpan? pollInterval = null)
    {
        var proxy = await WithMirrorsAsync(pollInterval);
        foreach (var output in outputs)
        {
            proxy.Publish(output, "alice", "bob", "carol");
        }

        await proxy.StartAsync();
        await UntilAsync(() => IsThere(proxy, "alice") && IsThere(proxy, "bob") && IsThere(proxy, "carol"));
        return proxy;
    }

    private static bool IsThere(TestProxy proxy, string log) =>
        proxy.Lines.Any(line => line.Contains($"Mirror of {log}: all", StringComparison.Ordinal));
}
