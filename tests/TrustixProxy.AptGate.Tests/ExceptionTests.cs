using TrustixProxy.Consensus;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.AptGate.Tests;

/// <summary>What is served without a quorum, and until when.</summary>
public sealed class ExceptionTests
{
    [Theory]
    [InlineData(true, "archive", 200)]
    [InlineData(true, "file", 200)]
    [InlineData(true, "other", 403)]
    [InlineData(false, "archive", 403)]
    public async Task An_exception_serves_until_it_ends(bool isInForce, string kind, int status)
    {
        await using var stage = await GateStage.StartAsync();
        var (path, content) = await stage.AddAsync("sl", says: "GOOD BAD");
        var until = DateTimeOffset.UtcNow + TimeSpan.FromDays(isInForce ? 1 : -1);
        await stage.RestartAsync(exceptions: [kind is "archive" ? PolicyException.OfArchive("s?", "has a date inside", until)
            : PolicyException.OfFile("sl", kind is "file" ? Digest.Of(content) : default, "has a date inside", until)]);

        using var answer = await stage.GetAsync("/debian/" + path);

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal(status is 200 ? "excepted" : "undecided", answer.Headers.GetValues("X-Trustix-Decision").Single());
    }

    [Fact]
    public async Task An_exception_that_ends_while_a_file_is_on_its_way_ends_for_the_next_who_asks()
    {
        await using var stage = await GateStage.StartAsync();
        var (path, content) = await stage.AddAsync("sl", size: 1_000_000, says: "GOOD BAD");
        var time = new ManualTime();
        await stage.RestartAsync(time: time, exceptions:
            [PolicyException.OfArchive("sl", "has a date inside", time.GetUtcNow() + TimeSpan.FromHours(1))]);
        stage.Archive.Lie = ArchiveLie.Halt;
        using var underway = await stage.GetAsync("/debian/" + path);

        time.Now += TimeSpan.FromHours(2);
        using var late = await stage.GetAsync("/debian/" + path);
        stage.Archive.Go.TrySetResult();

        Assert.Equal(content, await underway.Content.ReadAsByteArrayAsync());
        Assert.Equal(403, (int)late.StatusCode);
        time.Now -= TimeSpan.FromDays(1); // a clock that was ahead is set back
        using var early = await stage.GetAsync("/debian/" + path);
        Assert.Equal(200, (int)early.StatusCode);
    }

    [Fact]
    public async Task Report_mode_serves_and_records()
    {
        await using var stage = await GateStage.StartAsync(isReport: true);
        var (path, content) = await stage.AddAsync("sl", says: "GOOD BAD");

        using var answer = await stage.GetAsync("/debian/" + path);

        Assert.Equal(("report", content.Length), (answer.Headers.GetValues("X-Trustix-Decision").Single(),
            (await answer.Content.ReadAsByteArrayAsync()).Length));
        Assert.Contains("enforcing would refuse", await stage.OperateAsync("/"), StringComparison.Ordinal);
    }
}
