using TrustixProxy.Rebuilder.Stores;

namespace TrustixProxy.Rebuilder.Tests;

public sealed class StoreBoundTests
{
    [Fact]
    public async Task Of_a_store_that_is_too_large_only_the_command_that_uses_most_ends()
    {
        var size = 100L;
        var bound = new StoreBound(_ => Task.FromResult(size), most: 100);
        NixBounds Command() => new(TimeSpan.FromHours(1), "");
        var (small, large) = (Command(), Command()); // equal, and yet two

        Assert.Null(await bound.LookAsync(small, 10, default));
        Assert.Null(await bound.LookAsync(large, 90, default));
        size = 101;
        Assert.Null(await bound.LookAsync(small, 10, default));
        Assert.Equal("the store has 101 bytes, more than 100 (rebuilder.totalDisk); what is done with most of it waits",
            await bound.LookAsync(large, 90, default));
        bound.End(large);
        Assert.NotNull(await bound.LookAsync(small, 10, default));
    }
}
