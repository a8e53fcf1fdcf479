using System.Net;
using System.Text;
using TrustixProxy.LogNode.Archive;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog.Notes;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Tests.Witnessing;

/// <summary>A log whose heads three witnesses cosign, two of which are enough.</summary>
public sealed class CosigningTests : IAsyncDisposable
{
    private readonly WitnessedNode _log = new();

    [Fact]
    public async Task A_head_is_visible_once_two_of_three_have_cosigned_it()
    {
        _log.Witnesses.Instead = (_, _) => WitnessedNode.Status(HttpStatusCode.ServiceUnavailable);
        await _log.Node.StartAsync();
        await _log.SubmitAsync("a");
        await _log.AskedAsync(12);

        Assert.Equal(0ul, (await _log.Node.HeadAsync()).TreeSize);
        Assert.Contains("\n0\n", Encoding.UTF8.GetString(await _log.FileAsync("checkpoint")), StringComparison.Ordinal);
        await Assert.ThrowsAsync<HttpRequestException>(() => _log.FileAsync("tile/0/000.p/1"));
        var (status, health) = await _log.HealthAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Equal("test: its newest head lacks its quorum of witnesses: w1: HTTP 503; w2: HTTP 503; w3: HTTP 503\n", health);

        _log.Witnesses.Instead = (name, _) => name is "w3" ? WitnessedNode.Status(HttpStatusCode.ServiceUnavailable) : null;
        await _log.VisibleAsync(1);

        Assert.Equal("w1 w2", await _log.CosignersAsync());
        Assert.Equal(32, (await _log.FileAsync("tile/0/000.p/1")).Length);
        Assert.Equal((HttpStatusCode.OK, "ok\n"), await _log.HealthAsync());
    }

    [Fact]
    public async Task Growth_is_proven_to_each_witness_from_the_size_that_it_knows()
    {
        await _log.Node.StartAsync();
        for (var i = 1; i <= 20; i++)
        {
            var away = WitnessedNode.Names[i % 3];
            _log.Witnesses.Instead = (name, _) => name == away ? WitnessedNode.Status(HttpStatusCode.BadGateway) : null;
            await _log.SubmitAsync($"{i}");
            await _log.VisibleAsync(i);
        }

        Assert.All(WitnessedNode.Names, name => Assert.Contains(_log.Witnesses.Cosigned, cosigned => cosigned.Witness == name));
        Assert.IsType<CheckpointVerdict.Witnessed>(await _log.VerdictAsync());
    }

    [Fact]
    public async Task What_witnesses_know_and_have_signed_outlives_a_restart()
    {
        await _log.Node.StartAsync();
        await _log.SubmitAsync("a");
        await _log.VisibleAsync(1);
        await _log.Node.StopAsync();
        _log.Witnesses.Instead = (_, _) => WitnessedNode.Status(HttpStatusCode.ServiceUnavailable);
        await _log.Node.StartAsync();

        Assert.Equal(1ul, (await _log.Node.HeadAsync()).TreeSize);
        Assert.IsType<CheckpointVerdict.Witnessed>(await _log.VerdictAsync());

        _log.Witnesses.Instead = (_, _) => null;
        await _log.SubmitAsync("b");
        await _log.VisibleAsync(2);
        Assert.Equal(0, _log.Witnesses.Corrections);
    }

    [Fact]
    public async Task Witnesses_that_forgot_are_told_again_in_one_round()
    {
        await _log.Node.StartAsync();
        await _log.SubmitAsync("a");
        await _log.VisibleAsync(1);
        _log.Witnesses.Forget();
        var before = _log.Witnesses.Requests;
        await _log.SubmitAsync("b");
        await _log.VisibleAsync(2);

        Assert.InRange(_log.Witnesses.Requests - before, 2, 12); // three witnesses, two origins, at most two requests each
    }

    [Fact]
    public async Task An_empty_log_is_served_uncosigned_and_keeps_nobody_waiting()
    {
        _log.Witnesses.Instead = (_, _) => WitnessedNode.Status(HttpStatusCode.NotFound);
        await _log.Node.StartAsync();
        await Eventually.UntilAsync(() => _log.Witnesses.Requests >= 3);

        Assert.Equal(0ul, (await _log.Node.HeadAsync()).TreeSize);
        Assert.True(SignedNote.TryParse(await _log.FileAsync("checkpoint"), out var note, out _));
        Assert.Single(note.Signatures);
        Assert.Equal((HttpStatusCode.OK, "ok\n"), await _log.HealthAsync());
        await _log.SubmitAsync("a");
    }

    [Fact]
    public async Task Published_always_a_head_is_visible_at_once_and_cosignatures_follow()
    {
        _log.IsWithheld = false;
        _log.Witnesses.Instead = (_, _) => WitnessedNode.Status(HttpStatusCode.ServiceUnavailable);
        await _log.Node.StartAsync();
        await _log.SubmitAsync("a");

        Assert.Equal(1ul, (await _log.Node.HeadAsync()).TreeSize);
        Assert.IsType<CheckpointVerdict.Unwitnessed>(await _log.VerdictAsync());

        _log.Witnesses.Instead = (name, _) => name is "w1" ? null : WitnessedNode.Status(HttpStatusCode.ServiceUnavailable);
        await Eventually.UntilAsync(async () => await _log.VerdictAsync() is CheckpointVerdict.Unwitnessed { Witnesses: ["w1"] });
        _log.Witnesses.Instead = (name, _) => name is "w2" ? null : WitnessedNode.Status(HttpStatusCode.ServiceUnavailable);
        await Eventually.UntilAsync(async () => await _log.VerdictAsync() is CheckpointVerdict.Witnessed { Witnesses: ["w1", "w2"] });
        await _log.RestartAsync();
        Assert.IsType<CheckpointVerdict.Witnessed>(await _log.VerdictAsync());
    }

    [Fact]
    public async Task No_change_of_the_configuration_takes_a_head_from_its_readers()
    {
        _log.Witnesses.Instead = (_, _) => WitnessedNode.Status(HttpStatusCode.ServiceUnavailable);
        var size = 0ul;
        foreach (var (hasWitnesses, isWithheld) in new[] { (true, true), (false, false), (true, true), (true, false), (true, true) })
        {
            (_log.HasWitnesses, _log.IsWithheld) = (hasWitnesses, isWithheld);
            await _log.Node.StartAsync();
            await _log.SubmitAsync($"{hasWitnesses} {isWithheld} {size}");
            var shown = (await _log.Node.HeadAsync()).TreeSize;
            Assert.InRange(shown, size, ulong.MaxValue);
            Assert.Equal(isWithheld, shown == size);
            size = shown;
            await _log.Node.StopAsync();
        }

        await _log.Node.StartAsync();
        Assert.Equal(size, (await _log.Node.HeadAsync()).TreeSize);
    }

    [Fact]
    public async Task What_is_not_visible_is_neither_exported_nor_told_of_conflicts()
    {
        await _log.Node.StartAsync();
        await _log.SubmitAsync("a");
        await _log.VisibleAsync(1);
        _log.Witnesses.Instead = (_, _) => WitnessedNode.Status(HttpStatusCode.ServiceUnavailable);
        await _log.SubmitAsync("b");
        await _log.Node.SubmitAsync(("a"u8.ToArray(), "other"u8.ToArray()), ("b"u8.ToArray(), "other"u8.ToArray()));
        using var folder = new TestFolder();
        var export = Path.Combine(folder.Path, "export");

        _log.Node.Export(export);

        var head = LogHead.Parser.ParseFrom(await File.ReadAllBytesAsync(Path.Combine(export, "head")));
        Assert.Equal(1ul, head.TreeSize);
        Assert.Equal(await _log.FileAsync("checkpoint"), await File.ReadAllBytesAsync(Path.Combine(export, "checkpoint")));
        var conflicts = await _log.Node.CallAsync("/trustix_proxy.v1.LookupAPI/GetConflicts",
            new GetConflictsRequest { LogID = _log.Node.LogId }, GetConflictsResponse.Parser);
        Assert.Equal((1ul, 1), (conflicts.Size, conflicts.Conflicts.Count));
        var state = Directory.CreateDirectory(Path.Combine(folder.Path, "state")).FullName;
        var (entries, _) = LogImport.Run(export, _log.Signer, state, "test");
        Assert.Equal(1, entries);

        _log.Witnesses.Instead = (_, _) => null;
        await _log.VisibleAsync(2);
        _log.Node.Export(export);
        Assert.Equal(2ul, LogHead.Parser.ParseFrom(await File.ReadAllBytesAsync(Path.Combine(export, "head"))).TreeSize);
    }

    public ValueTask DisposeAsync() => _log.DisposeAsync();
}
