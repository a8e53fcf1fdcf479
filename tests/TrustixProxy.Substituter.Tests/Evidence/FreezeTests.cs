using TrustixProxy.IO.Storage;
using TrustixProxy.Logs.Client;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Substituter.Tests.Evidence;

/// <summary>A log is frozen by its own signatures, with evidence that anyone can check; and only a person unfreezes it.</summary>
public sealed class FreezeTests
{
    [Theory]
    [InlineData(LogLie.SplitView, "split-view")]
    [InlineData(LogLie.EntryOfOtherLeaf, "map-contradiction")]
    public async Task The_evidence_is_kept_as_a_file_that_verifies_with_the_logs_key_and_no_other(LogLie lie, string kind)
    {
        await using var proxy = await FrozenAsync(lie);

        var bytes = await File.ReadAllBytesAsync(EvidenceFile(proxy));
        Assert.True(FaultEvidence.TryVerify(bytes, [proxy.Log("bob").Log.Signer.Key, proxy.Log("alice").Log.Signer.Key], out var evidence,
            out var error), error.ToString());

        Assert.Equal((kind, proxy.Log("alice").Url.ToString()), (evidence.Fault.Kind, evidence.From));
        Assert.False(FaultEvidence.TryVerify(bytes, [proxy.Log("bob").Log.Signer.Key], out _, out error));
        Assert.Equal(FaultEvidenceError.Heads, error);
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] ^= 1;
            Assert.False(FaultEvidence.TryVerify(bytes, [proxy.Log("alice").Log.Signer.Key], out _, out _), $"byte {i}");
            bytes[i] ^= 1;
        }
    }

    [Theory]
    [InlineData(2, 2)]
    [InlineData(2, 5)]
    [InlineData(4, 3)]
    [InlineData(8, 20)]
    public async Task A_past_that_was_rewritten_at_a_power_of_two_leaves_evidence_too(int seen, int more)
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Publish(output, "alice", "bob", "carol");
        Enumerable.Range(1, seen - 1).ToList().ForEach(i => proxy.Publish(TestOutput.Make($"filler-{i}"), "alice"));
        await proxy.StartAsync();
        await proxy.NarInfoAsync(output);
        await UntilAsync(() => proxy.Log("alice").Calls.Contains("GetHead"));
        await Task.Delay(1100); // a head may be believed for a second

        var fork = proxy.Log("alice").Log.Fork(seen - 1);
        Enumerable.Range(0, more + 1).ToList().ForEach(i => fork.Add([(byte)i], [1]));
        proxy.Log("alice").Show(fork);
        await UntilAsync(async () =>
        {
            var other = TestOutput.Make(Guid.NewGuid().ToString());
            return (await proxy.Publish(other, "bob").AskAsync(other.Path)).Text.Contains("alice=silent(frozen)", StringComparison.Ordinal);
        });

        await UntilAsync(() => proxy.Lines.Any(line => line.StartsWith("Critical 3002", StringComparison.Ordinal)));
        Assert.True(FaultEvidence.TryVerify(
            await File.ReadAllBytesAsync(EvidenceFile(proxy)), [fork.Signer.Key], out var evidence, out var error), error.ToString());
        Assert.Equal("rewritten-log", evidence.Fault.Kind);
    }

    [Fact]
    public async Task A_frozen_log_stays_so_over_restarts_and_a_running_proxy_hears_it_two_seconds_after_it_is_unfrozen()
    {
        await using var proxy = await FrozenAsync(LogLie.SplitView);
        proxy.Log("alice").Lie = LogLie.None;
        await proxy.RestartAsync();
        var output = TestOutput.Make("after");
        proxy.Publish(output, "alice", "bob");
        var frozen = await proxy.AskAsync(output.Path);
        using var register = new LogRegister(proxy.Options!.Logs, proxy.StateDirectory);
        var before = register.List()[0];

        Assert.True(register.Unfreeze("alice", "operator restored a backup by mistake, and has said so"));
        await Task.Delay(2200);
        var other = TestOutput.Make("later");
        proxy.Publish(other, "alice", "bob");

        Assert.Contains("alice=silent(frozen)", frozen.Text, StringComparison.Ordinal);
        Assert.True(before.IsFrozen);
        Assert.StartsWith("frozen: split-view, seen ", before.State, StringComparison.Ordinal);
        await proxy.NarInfoAsync(other);
        Assert.False(register.List()[0].IsFrozen);
        Assert.Contains("operator restored a backup", Assert.Single(register.List()[0].Unfreezings), StringComparison.Ordinal);
        Assert.False(register.Unfreeze("alice", "again"));
    }

    [Fact]
    public async Task An_evidence_file_that_was_not_written_before_the_process_ended_is_written_at_the_next_start()
    {
        await using var proxy = await FrozenAsync(LogLie.SplitView);
        var before = await File.ReadAllBytesAsync(EvidenceFile(proxy));
        Directory.Delete(Path.Combine(proxy.StateDirectory, "evidence"), recursive: true);

        await proxy.RestartAsync();

        Assert.Equal(before, await File.ReadAllBytesAsync(EvidenceFile(proxy)));
    }

    [Fact]
    public async Task How_each_log_fares_is_known_to_whoever_looks_at_the_state()
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        var output = TestOutput.Make();
        proxy.Publish(output, "alice", "bob");
        proxy.Log("carol").Lie = LogLie.Html;
        await proxy.StartAsync();
        await proxy.AskAsync(output.Path);
        using var register = new LogRegister(proxy.Options!.Logs, proxy.StateDirectory);

        var logs = register.List();
        for (var i = 0; i < 50 && logs.Any(log => log.State is "never seen"); i++)
        {
            await Task.Delay(100);
            logs = register.List();
        }

        Assert.Equal(("live", 1L), (logs[0].State, logs[0].Size));
        Assert.StartsWith("failing since ", logs[2].State, StringComparison.Ordinal);
        Assert.EndsWith(": BadAnswer", logs[2].State, StringComparison.Ordinal);
        Assert.Null(logs[2].Size);
    }

    [Theory]
    [InlineData(0, 0, null, "live")]
    [InlineData(10, 10, null, "stale since 2026-01-01 00:00:00Z")]
    [InlineData(0, 60 * 24 * 8, null, "stale since 2025-12-24 00:00:00Z: it answers but does not grow")]
    [InlineData(0, 0, "NoAnswer", "failing since 2026-01-01 00:00:00Z: NoAnswer")]
    public void A_log_that_no_longer_answers_or_grows_is_said_to_be_stale(
        int minutesUnseen, int minutesUngrown, string? failure, string expected)
    {
        var now = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        var directory = Directory.CreateTempSubdirectory("trustix-test-").FullName;
        var log = new MemoryLog();
        var elector = new Consensus.Elector.Log("alice", "alice", log.Signer.Key);
        var options = new SubstituterOptions
        {
            StateDirectory = directory,
            SigningKey = Nix.NixSecretKey.Generate("x"),
            Policy = new Consensus.Policy([elector]),
            Logs = [new LogOptions(elector, new Uri("http://alice"))],
            Upstreams = [],
        };
        using (var state = new StateWriter(directory))
        using (var register = new LogRegister(options.Logs, options.StateDirectory, new ManualTime { Now = now.AddMinutes(minutesUnseen) }))
        {
            var records = new LogRecords(state);
            records.KeepCondition(
                log.Signer.Key, new LogCondition(now, now.AddMinutes(-minutesUngrown), failure, failure is null ? null : now));
            Until(() => register.List()[0].State != "never seen");

            Assert.Equal(expected, register.List()[0].State);
        }

        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public void One_key_with_two_entries_freezes_whenever_the_second_comes()
    {
        var directory = Directory.CreateTempSubdirectory("trustix-test-").FullName;
        var (log, key) = (new MemoryLog(), "key"u8.ToArray());
        log.Add("first"u8.ToArray(), [1]);
        var fork = log.Fork(1);
        log.Add(key, [2]);
        fork.Add(key, [3]);
        using (var store = new ViewStore(directory))
        using (var state = new StateWriter(directory))
        {
            var records = new LogRecords(state);
            var faults = new LogFaultStore(new LogIdentity("alice", log.Signer.Key, new Uri("http://alice")), store, records, directory,
                TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
            var (one, two) = (Entry(log, key), Entry(fork, key));

            Assert.Null(faults.Hold(one));
            Until(() => records.FindProven(log.Signer.Key, key) is not null);
            Assert.Null(faults.Hold(one));
            Assert.Null(faults.Hold(one, isOfMirror: true));
            Assert.Equal(faults.Hold(two, isOfMirror: true), faults.Hold(two));
            var fault = Assert.IsType<LogFault.TwoEntries>(faults.Hold(two));
            faults.Freeze(fault, "http://alice");

            Assert.True(faults.IsFrozen(isKnown: false));
            Assert.True(FaultEvidence.TryVerify(store.Load(log.Signer.Key).Fault, [log.Signer.Key], out var evidence, out _));
            Assert.Equal("two-entries", evidence.Fault.Kind);
        }

        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public void What_a_mirror_proves_is_not_remembered_beside_it()
    {
        var directory = Directory.CreateTempSubdirectory("trustix-test-").FullName;
        var (log, key) = (new MemoryLog(), "key"u8.ToArray());
        log.Add(key, [2]);
        using (var store = new ViewStore(directory))
        {
            var state = new StateWriter(directory);
            var records = new LogRecords(state);
            var faults = new LogFaultStore(new LogIdentity("alice", log.Signer.Key, new Uri("http://alice")), store, records, directory,
                TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);

            Assert.Null(faults.Hold(Entry(log, key), isOfMirror: true));
            state.Dispose(); // what waits is written
        }

        using (var state = new StateWriter(directory))
        {
            Assert.False(new LogRecords(state).HasProven(log.Signer.Key));
        }

        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public void A_damaged_memory_of_an_entry_freezes_nobody()
    {
        var directory = Directory.CreateTempSubdirectory("trustix-test-").FullName;
        var (log, key) = (new MemoryLog(), "key"u8.ToArray());
        log.Add(key, [2]);
        var entry = Entry(log, key);
        var damaged = entry.Map.Clone();
        damaged.Value = Google.Protobuf.ByteString.CopyFrom(new MapEntry(Digest.Of([9]), 0).ToBytes());
        using (var store = new ViewStore(directory))
        using (var state = new StateWriter(directory))
        {
            var records = new LogRecords(state);
            records.KeepProven(entry with { Map = damaged }, isFirst: true);
            var faults = new LogFaultStore(new LogIdentity("alice", log.Signer.Key, new Uri("http://alice")), store, records, directory,
                TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);

            Until(() => records.FindProven(log.Signer.Key, key) is not null);
            Assert.Null(faults.Hold(entry));
            Until(() => entry.Map.Equals(records.FindProven(log.Signer.Key, key)!.Map));
        }

        Directory.Delete(directory, recursive: true);
    }

    private static void Until(Func<bool> isSo) => Assert.True(SpinWait.SpinUntil(isSo, TimeSpan.FromSeconds(10)));

    private static ProvenEntry Entry(MemoryLog log, byte[] key) => new(log.Head, key, log.MapValue(key, log.Head.Content.MapRoot)!);

    private static SubstituterOptions Options(TestProxy proxy) => proxy.Options!;

    private static string EvidenceFile(TestProxy proxy) =>
        Assert.Single(Directory.GetFiles(Path.Combine(proxy.StateDirectory, "evidence"), "alice-*.json"));

    /// <summary>A proxy that has seen its log alice contradict itself.</summary>
    private static async Task<TestProxy> FrozenAsync(LogLie lie)
    {
        var (known, output) = (TestOutput.Make("known"), TestOutput.Make("lied-about"));
        var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Publish(known, "alice", "bob", "carol");
        await proxy.StartAsync();
        await proxy.NarInfoAsync(known);
        await Task.Delay(1100); // till then an absence is believed under the head that is known
        proxy.Log("alice").Lie = lie;
        proxy.Publish(output, "alice");
        if (lie is LogLie.SplitView)
        {
            // The head before the newest one is known to the proxy; it is shown again with another root.
            proxy.Log("alice").Lie = LogLie.None;
            await proxy.RestartAsync();
            using (var register = new LogRegister(proxy.Options!.Logs, proxy.StateDirectory))
            {
                Until(() => register.List()[0].Size == proxy.Log("alice").Log.Head.Content.TreeSize);
            }

            proxy.Log("alice").Publish(TestOutput.Make("more").Statement);
            proxy.Log("alice").Lie = LogLie.SplitView;
            await proxy.RestartAsync();
        }

        for (var i = 0; i < 50 && !Directory.Exists(Path.Combine(proxy.StateDirectory, "evidence")); i++)
        {
            await proxy.AskAsync(output.Path);
            await Task.Delay(100);
        }

        return proxy;
    }
}
