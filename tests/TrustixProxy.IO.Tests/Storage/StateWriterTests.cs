using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;
using TrustixProxy.IO.Storage;
using TrustixProxy.IO.Supervision;
using TrustixProxy.Testing;

namespace TrustixProxy.IO.Tests.Storage;

/// <summary>What one write does wrong is no other's harm, and a disk that refuses is tried again, and spoken of once.</summary>
public sealed class StateWriterTests : IDisposable
{
    private readonly TestFolder _directory = new();
    private readonly ConcurrentQueue<Exception> _failures = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_fault_in_one_write_is_told_and_harms_no_other(bool isDue)
    {
        using var writer = new StateWriter(_directory.Path);
        writer.Failed += _failures.Enqueue;
        var written = new ConcurrentBag<int>();

        var all = Enumerable.Range(0, 10)
            .Select(i => writer.Write(() => written.Add(i is 3 ? throw new InvalidOperationException("a fault") : i), isDue)).ToList();
        await Task.WhenAll(all).WaitAsync(TimeSpan.FromSeconds(10));
        await writer.Write(() => written.Add(10), isDue).WaitAsync(TimeSpan.FromSeconds(10));

        Assert.Equal([0, 1, 2, 4, 5, 6, 7, 8, 9, 10], written.Distinct().Order());
        Assert.IsType<InvalidOperationException>(Assert.Single(_failures));
    }

    [Fact]
    public async Task A_fault_in_the_loop_itself_loses_nothing_that_is_due_and_the_loop_goes_on()
    {
        var (tellings, written, refusals) = (0, new ConcurrentBag<int>(), 0);
        using var writer = new StateWriter(_directory.Path);
        writer.Failed += _ => throw new InvalidOperationException($"nobody can be told ({++tellings})");

        var all = Enumerable.Range(0, 3).Select(i => writer.Write(
            () =>
            {
                if (i is 1 && ++refusals <= 2)
                {
                    throw new SqliteException("full", 13);
                }

                written.Add(i);
            },
            isDue: true)).ToList();
        await Task.WhenAll(all).WaitAsync(TimeSpan.FromSeconds(20));
        await writer.Write(() => written.Add(3)).WaitAsync(TimeSpan.FromSeconds(10));

        Assert.Equal([0, 1, 2, 3], written.Distinct().Order());
        Assert.True(tellings > 0);
        Assert.Contains(SupervisedLoop.Failures, loop => loop is { Key: "state writer", Value: > 0 });
    }

    [Fact]
    public async Task What_is_due_is_written_when_the_disk_takes_it_again_and_the_refusal_is_told_once()
    {
        using var writer = new StateWriter(_directory.Path);
        writer.Failed += _failures.Enqueue;
        var refusals = 0;

        await writer.Write(() => _ = ++refusals <= 4 ? throw new SqliteException("full", 13) : 0, isDue: true)
            .WaitAsync(TimeSpan.FromSeconds(10));
        await writer.Write(() => throw new SqliteException("full again", 13)).WaitAsync(TimeSpan.FromSeconds(10));

        Assert.Equal(5, refusals);
        Assert.Equal(["full", "full again"], _failures.Select(failure => failure.Message));
    }
}
