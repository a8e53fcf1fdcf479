using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.AptGate.Storage;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.AptGate.Tests;

/// <summary>The store of files by their SHA-256.</summary>
public sealed class FileStoreTests
{
    [Fact]
    public async Task The_least_recently_used_files_go_first_also_after_a_restart()
    {
        using var folder = new TestFolder();
        var files = Enumerable.Range(0, 3).Select(i => GateStage.ContentOf(1000 + i)).ToList();
        using (var store = Open(folder))
        {
            files.ForEach(file => Keep(store, file));
            (await store.FindAsync(Digest.Of(files[0]), default))!.Dispose();
            Keep(store, GateStage.ContentOf(900));

            Assert.Null(await store.FindAsync(Digest.Of(files[1]), default));
            Assert.InRange(store.Size, 1, 3100);
        }

        using var again = Open(folder);
        using var kept = await again.FindAsync(Digest.Of(files[0]), default);
        Assert.Equal((1000L, DateTimeOffset.FromUnixTimeSeconds(5)), (kept!.Size, kept.ModifiedAt));
    }

    [Fact]
    public async Task What_is_too_large_is_not_kept_and_what_a_dead_process_left_goes()
    {
        using var folder = new TestFolder();
        File.WriteAllText(Path.Combine(folder.Path, ".writing-1"), "left");
        using var store = Open(folder);
        var large = GateStage.ContentOf(5000);
        Keep(store, large);

        Assert.Null(await store.FindAsync(Digest.Of(large), default));
        Assert.Empty(Directory.GetFiles(folder.Path, ".writing-*"));
    }

    private static FileStore Open(TestFolder folder) =>
        new(new FileStoreOptions(folder.Path, 3100), TimeProvider.System, NullLogger.Instance);

    private static void Keep(FileStore store, byte[] content)
    {
        using var spool = store.Begin();
        RandomAccess.Write(spool.Handle, content, 0);
        store.Publish(spool, Digest.Of(content), content.Length, DateTimeOffset.FromUnixTimeSeconds(5));
    }
}
