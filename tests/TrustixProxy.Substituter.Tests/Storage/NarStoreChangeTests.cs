using TrustixProxy.Nars.Store;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Substituter.Tests.Storage;

/// <summary>A stored file is hashed again when anybody may have changed it.</summary>
public sealed class NarStoreChangeTests
{
    [Fact]
    public async Task Other_bytes_of_the_same_size_under_the_old_time_are_never_served()
    {
        var output = TestOutput.Make(size: 5_000);
        await using var proxy = await StartAsync(output);
        var narInfo = await proxy.NarInfoAsync(output);
        await proxy.NarAsync(narInfo);
        await UntilAsync(() => Files(proxy).Length is 1);
        var file = Files(proxy).Single();
        // The file lies there a moment before it is used.
        await UntilAsync(
            async () => Requests(proxy) is var before && (await proxy.NarAsync(narInfo)).Length > 0 && Requests(proxy) == before);
        var (bytes, time) = (await File.ReadAllBytesAsync(file), File.GetLastWriteTimeUtc(file));
        await Task.Delay(20); // the kernel's clock for files moves every 4 to 10 ms

        await File.WriteAllBytesAsync(file, [.. bytes[..^1], (byte)(bytes[^1] ^ 1)]);
        File.SetLastWriteTimeUtc(file, time);

        Assert.Equal(output.Nar, await proxy.NarAsync(narInfo));
        Assert.Contains(proxy.Lines, line => line.Contains("does not match its name", StringComparison.Ordinal));
    }

    private static async Task<TestProxy> StartAsync(TestOutput output)
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options => options with
        {
            NarStore = new NarStoreOptions(Directory.CreateDirectory(Path.Combine(proxy.StateDirectory, "nars")).FullName, 1 << 30, []),
        };
        return await proxy.Publish(output, "alice", "bob").StartAsync();
    }

    private static string[] Files(TestProxy proxy) =>
        Directory.GetFiles(Path.Combine(proxy.StateDirectory, "nars"), "*.nar*", SearchOption.AllDirectories);

    private static int Requests(TestProxy proxy) =>
        proxy.Upstream().Requests.Count(request => request.StartsWith("GET /nar/", StringComparison.Ordinal));
}
