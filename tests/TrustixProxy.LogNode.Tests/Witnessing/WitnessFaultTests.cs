using System.Net;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.LogNode.Tests.Witnessing;

/// <summary>One of three witnesses does not do what it should.</summary>
public sealed class WitnessFaultTests : IAsyncDisposable
{
    private readonly WitnessedNode _log = new();

    [Theory]
    [InlineData(HttpStatusCode.OK, "not signature lines", "an answer that is not signature lines")]
    [InlineData(HttpStatusCode.OK, "— w1.example/w AAAAAAAAAAAAAAAA\n", "an answer without a cosignature by the key of the policy")]
    [InlineData(HttpStatusCode.OK, "", "an answer that is not signature lines")]
    [InlineData(HttpStatusCode.OK, "FOREIGN", "a cosignature that is not by the key of the policy")]
    [InlineData(HttpStatusCode.OK, "FUTURE", "which is in the future: compare the clocks")]
    [InlineData(HttpStatusCode.OK, "LONG", "an answer of more than 65536 bytes")]
    [InlineData(HttpStatusCode.Redirect, "", "HTTP 302")]
    [InlineData(HttpStatusCode.Conflict, "7\n", "HTTP 409 without a size")]
    [InlineData(HttpStatusCode.UnprocessableContent, "log.example/test\n5\nx\n\n— x y\n", "w1: knows another tree")]
    public async Task Its_lie_is_not_counted_and_named(HttpStatusCode status, string body, string problem)
    {
        var witness = new TestWitness("w1", 1);
        Func<CheckpointRequest, string> lie = body switch
        {
            "FOREIGN" => _ => $"{witness.Cosign(SignedNote.Of("other\n"), DateTimeOffset.UtcNow)}\n",
            "FUTURE" => asked => $"{witness.Cosign(asked.Checkpoint, DateTimeOffset.UtcNow.AddMinutes(10))}\n",
            "LONG" => _ => new string('x', (64 << 10) + 1),
            _ => _ => body,
        };
        _log.Witnesses.Instead = (name, asked) => name switch
        {
            "w1" => WitnessedNode.Status(status, lie(asked)),
            "w2" => WitnessedNode.Status(HttpStatusCode.Gone),
            _ => null,
        };
        await _log.Node.StartAsync();
        await _log.SubmitAsync("a");
        await Eventually.UntilAsync(async () => (await _log.HealthAsync()).Text.Contains(problem, StringComparison.Ordinal));
        Assert.Equal(0ul, (await _log.Node.HeadAsync()).TreeSize);

        _log.Witnesses.Instead = (name, asked) => name is "w1" ? WitnessedNode.Status(status, lie(asked)) : null;
        await _log.VisibleAsync(1);
        Assert.Equal("w2 w3", await _log.CosignersAsync());
    }

    [Fact]
    public async Task Its_silence_delays_a_head_by_a_second_at_most()
    {
        _log.Witnesses.Before = name => name is "w1" ? Task.Delay(Timeout.Infinite) : Task.CompletedTask;
        await _log.Node.StartAsync();
        await _log.SubmitAsync("a");

        await _log.VisibleAsync(1);
        Assert.Equal("w2 w3", await _log.CosignersAsync());
    }

    [Fact]
    public async Task Its_slow_cosignature_is_taken_too()
    {
        _log.Witnesses.Before = name => name is "w1" ? Task.Delay(200) : Task.CompletedTask;
        await _log.Node.StartAsync();
        await _log.SubmitAsync("a");

        await _log.VisibleAsync(1);
        Assert.Equal("w1 w2 w3", await _log.CosignersAsync());
    }

    [Fact]
    public async Task It_cannot_stop_signing_alone_and_a_quorum_can()
    {
        _log.Witnesses.Instead = (name, _) => name is "w1" ? FakeWitnesses.KnowsSize(1L << 62) : null;
        await _log.Node.StartAsync();
        await _log.SubmitAsync("a");
        await _log.VisibleAsync(1);

        _log.Witnesses.Instead = (name, _) => name is "w1" or "w2" ? FakeWitnesses.KnowsSize(1L << 62) : null;
        var refusal = await _log.RefusedAsync(); // what was taken before is in the log, and not visible
        Assert.Contains("412 ", refusal, StringComparison.Ordinal);
        Assert.Contains("these witnesses know another tree of this log: w1, w2", refusal, StringComparison.Ordinal);
        Assert.Contains("restore the newest state", refusal, StringComparison.Ordinal);

        // They fall silent: what they said still holds.
        _log.Witnesses.Instead = (name, _) => name is "w1" or "w2" ? WitnessedNode.Status(HttpStatusCode.BadGateway) : null;
        await _log.AskedAsync(12);
        Assert.Contains("know another tree", await WitnessedNode.RefusalAsync(_log.Node), StringComparison.Ordinal);
        Assert.StartsWith("test: signing has stopped: these witnesses know another tree of this log: w1, w2",
            (await _log.HealthAsync()).Text, StringComparison.Ordinal);

        // They were wrong: all goes on, and nothing that was acknowledged is lost.
        _log.Witnesses.Instead = (_, _) => null;
        await Eventually.UntilAsync(async () => (await _log.Node.HeadAsync()).TreeSize >= 2);
        Assert.Equal((HttpStatusCode.OK, "ok\n"), await _log.HealthAsync());
    }

    [Fact]
    public async Task Its_changing_faults_make_one_message_a_minute()
    {
        var round = 0;
        _log.Witnesses.Instead = (name, _) => name is "w1" ? WitnessedNode.Status((HttpStatusCode)(500 + (round++ % 90))) : null;
        await _log.Node.StartAsync();
        for (var i = 0; i < 5; i++)
        {
            await _log.SubmitAsync($"{i}");
            await _log.VisibleAsync(i + 1);
        }

        Assert.True(round >= 5);
        Assert.InRange(_log.Node.Lines.Count(line => line.Contains("some witnesses did not cosign", StringComparison.Ordinal)), 1, 2);
    }

    [Fact]
    public async Task Its_many_cosignatures_make_one_line()
    {
        var witness = new TestWitness("w1", 1);
        _log.Witnesses.Instead = (name, asked) => name is not "w1" ? null : WitnessedNode.Status(HttpStatusCode.OK, string.Concat(
            Enumerable.Range(0, 100).Select(i => $"{witness.Cosign(asked.Checkpoint, DateTimeOffset.UtcNow.AddSeconds(-i))}\n")));
        await _log.Node.StartAsync();
        await _log.SubmitAsync("a");

        await _log.VisibleAsync(1);
        Assert.Equal("w1 w2 w3", await _log.CosignersAsync());
        Assert.True(SignedNote.TryParse(await _log.FileAsync("checkpoint"), out var note, out _));
        Assert.Equal(4, note.Signatures.Length);
    }

    [Fact]
    public async Task It_cannot_stop_signing_with_a_later_checkpoint_of_the_log_itself()
    {
        var (asked, release) = (new TaskCompletionSource(), new TaskCompletionSource());
        _log.IsWithheld = false;
        await _log.Node.StartAsync();
        _log.Witnesses.Before = name => name is "w1" && (asked.TrySetResult() || true) ? release.Task : Task.CompletedTask;
        await _log.SubmitAsync("a");
        await asked.Task;
        await _log.SubmitAsync("b");
        await _log.VisibleAsync(2);
        var later = System.Text.Encoding.UTF8.GetString(await _log.FileAsync("checkpoint"));
        _log.Witnesses.Instead = (name, _) => name is "w1" ? WitnessedNode.Status(HttpStatusCode.BadRequest, later) : null;
        var askedAgain = _log.AskedAsync(6); // counts from here: once they have cosigned, nobody is asked any more
        release.SetResult();
        await askedAgain;

        await _log.SubmitAsync("c");
        await _log.VisibleAsync(3);
        Assert.Null(await WitnessedNode.RefusalAsync(_log.Node));
    }

    public ValueTask DisposeAsync() => _log.DisposeAsync();
}
