using TrustixProxy.LogNode.Sequencing;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.LogNode.Tests.Storage;

public sealed class WalCheckpointsTests
{
    /// <summary>Pages of 4 kB with their headers, at which the writer itself would copy.</summary>
    private const long WritersOwn = 8000 * 4120;

    [Fact]
    public async Task Pages_reach_the_file_beside_the_writer_before_it_would_copy_them_itself()
    {
        using var folder = new TestFolder();
        var file = Path.Combine(folder.Path, "log.sqlite");
        using var database = LogDatabase.OpenToWrite(file);
        using var writer = new LogWriter(database, new LogSigner(NixSecretKey.Generate("x").Key), TimeProvider.System);
        writer.Begin();
        for (var first = 0; new FileInfo(file + "-wal").Length < WritersOwn / 2; first += LogWriter.BatchSize)
        {
            writer.Sequence(Batch(first));
        }

        await UntilAsync(() => new FileInfo(file).Length > WritersOwn / 4);
        Assert.True(new FileInfo(file + "-wal").Length < WritersOwn);
    }

    [Fact]
    public void A_writer_that_never_pauses_keeps_the_write_ahead_log_short_and_what_it_wrote()
    {
        using var folder = new TestFolder();
        var file = Path.Combine(folder.Path, "log.sqlite");
        var signer = new LogSigner(NixSecretKey.Generate("x").Key);
        using (var database = LogDatabase.OpenToWrite(file))
        using (var writer = new LogWriter(database, signer, TimeProvider.System))
        {
            writer.Begin();
            for (var first = 0; first < 60_000; first += LogWriter.BatchSize)
            {
                writer.Sequence(Batch(first));
                Assert.True(new FileInfo(file + "-wal").Length < 2 * WritersOwn);
            }
        }

        Assert.False(File.Exists(file + "-wal"));
        using var again = LogDatabase.OpenToWrite(file);
        using var reopened = new LogWriter(again, signer, TimeProvider.System);
        Assert.Equal(60_000, reopened.Head.Size);
        Assert.Equal([0, 59_999], again.Read(reader => reader.AllEntries(0, 60_000).Select(row => row.Index).Where(
            index => index is 0 or 59_999).ToList()));
    }

    private static List<Entry> Batch(int first) =>
        [.. Enumerable.Range(first, LogWriter.BatchSize).Select(i => new Entry(BitConverter.GetBytes(i), new byte[300]))];
}
