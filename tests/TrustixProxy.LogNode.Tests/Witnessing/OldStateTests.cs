using System.Net;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.LogNode.Tests.Witnessing;

/// <summary>A state directory that is older than what witnesses have seen of the log.</summary>
public sealed class OldStateTests : IAsyncDisposable
{
    private readonly WitnessedNode _log = new();
    private readonly TestFolder _copy = new();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_old_copy_takes_nothing_from_the_start(bool isWithheld)
    {
        _log.IsWithheld = isWithheld;
        await _log.Node.StartAsync();
        await _log.SubmitAsync("a");
        await Eventually.UntilAsync(async () => await _log.VerdictAsync() is CheckpointVerdict.Witnessed);
        await _log.Node.StopAsync();
        foreach (var file in Directory.GetFiles(_log.Node.StateDirectory, "test.sqlite*"))
        {
            File.Copy(file, Path.Combine(_copy.Path, Path.GetFileName(file)));
        }

        await _log.Node.StartAsync();
        await _log.SubmitAsync("b");
        await _log.VisibleAsync(2);
        await Eventually.UntilAsync(async () => await _log.VerdictAsync() is CheckpointVerdict.Witnessed);
        await _log.Node.StopAsync();

        await AssertRefusedAsync(1);
        Assert.Single(_log.Witnesses.Cosigned.Where(cosigned => cosigned.Checkpoint is { Origin: WitnessedNode.Origin, Size: 2 })
            .Select(cosigned => cosigned.Checkpoint.Root).Distinct());
    }

    [Fact]
    public async Task An_empty_state_directory_takes_nothing_for_a_log_that_is_known()
    {
        await _log.Node.StartAsync();
        await _log.SubmitAsync("a");
        await _log.VisibleAsync(1);
        await _log.Node.StopAsync();

        await AssertRefusedAsync(0);
    }

    [Theory]
    [InlineData(HttpStatusCode.Conflict, 9)]
    [InlineData(HttpStatusCode.Conflict, 1)]
    [InlineData(HttpStatusCode.UnprocessableContent, 9)]
    public async Task A_checkpoint_under_its_own_key_that_its_file_does_not_lead_to_stops_signing_for_ever(HttpStatusCode status, long size)
    {
        await _log.Node.StartAsync();
        await _log.SubmitAsync("a");
        await _log.VisibleAsync(1);
        var shown = new CheckpointSigner(WitnessedNode.Origin, _log.Signer).Sign(size, Digest.Of("another root"u8));
        _log.Witnesses.Instead = (name, asked) => name is "w1" && asked.Checkpoint.Text.StartsWith(WitnessedNode.Origin + "\n",
            StringComparison.Ordinal) ? WitnessedNode.Status(status, shown.ToString()) : null;
        await _log.RestartAsync();

        Assert.Contains($"{WitnessedNode.Origin} of size {size}", await WitnessedNode.RefusalAsync(_log.Node), StringComparison.Ordinal);
        _log.Witnesses.Instead = (_, _) => null;
        _log.HasWitnesses = false;
        await _log.RestartAsync();
        Assert.Contains($"{WitnessedNode.Origin} of size {size}", await WitnessedNode.RefusalAsync(_log.Node), StringComparison.Ordinal);
        Assert.Equal(1ul, (await _log.Node.HeadAsync()).TreeSize);
    }

    [Fact]
    public async Task A_checkpoint_of_another_key_or_origin_stops_nothing()
    {
        var other = new CheckpointSigner("other.example", _log.Signer).Sign(9, Digest.Of("root"u8));
        _log.Witnesses.Instead = (name, _) => name is "w1" ? WitnessedNode.Status(HttpStatusCode.Conflict, other.ToString()) : null;
        await _log.Node.StartAsync();
        await _log.SubmitAsync("a");
        await _log.VisibleAsync(1);
    }

    public async ValueTask DisposeAsync()
    {
        await _log.DisposeAsync();
        _copy.Dispose();
    }

    private async Task AssertRefusedAsync(ulong size)
    {
        await using var old = _log.With(_copy.Path);
        await old.StartAsync();
        Assert.Contains("old copy", await WitnessedNode.RefusalAsync(old), StringComparison.Ordinal);
        Assert.Equal(size, (await old.HeadAsync()).TreeSize);
        Assert.Contains("signing has stopped", (await _log.HealthAsync(old)).Text, StringComparison.Ordinal);
    }
}
