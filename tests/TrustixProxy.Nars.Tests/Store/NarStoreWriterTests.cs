using TrustixProxy.Nars;
using TrustixProxy.Nars.Store;
using TrustixProxy.Native;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Nars.Tests.Store;

/// <summary>Whoever sends a NAR never waits for the disk.</summary>
public sealed class NarStoreWriterTests : IDisposable
{
    private static readonly NixHash Hash = TestOutput.Make().Statement.NarHash;

    private readonly string _directory = Directory.CreateTempSubdirectory("trustix-writer-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task What_a_stuck_disk_does_not_follow_with_is_given_up_and_the_rest_is_published_when_it_moves_again()
    {
        using var stuck = new ManualResetEventSlim();
        var (published, givenUp) = (new List<StoredNar>(), new List<StoredNar>());
        using var writer = new NarStoreWriter(
            new NarStoreFolder(_directory), 1 << 30,
            new Shelf(stuck.Wait, (nar, _) => published.Add(nar), givenUp.Add));
        writer.Start();
        var (small, large) = (Begin(writer), Begin(writer));

        Append(small, 10);
        for (var i = 0; i < 1000; i++)
        {
            Append(large, 64 << 10);
        }

        small.Complete(Hash);
        large.Complete(Hash);
        Assert.Equal([large.Nar], givenUp);
        stuck.Set();

        // what was published lies where this test leaves it
        await UntilAsync(() => published.Count > 0 && Directory.GetFiles(_directory).Length is 1);
        Assert.Equal([small.Nar], published);
    }

    [Fact]
    public async Task A_fault_of_ours_costs_one_file_and_the_next_is_published()
    {
        var (published, faults) = (new List<StoredNar>(), 0);
        void Publish(StoredNar nar, string path)
        {
            File.Delete(path);
            published.Add(++faults is 1 ? throw new InvalidOperationException("a fault that nobody has thought of") : nar);
        }

        using var writer = new NarStoreWriter(
            new NarStoreFolder(_directory), 1 << 30, new Shelf(() => throw new InvalidOperationException("another"), Publish));
        writer.Start();
        var (first, second) = (Begin(writer), Begin(writer));
        foreach (var write in new[] { first, second })
        {
            Append(write, 10);
            write.Complete(Hash);
        }

        await UntilAsync(() => published.Count > 0);
        Assert.Equal([second.Nar], published);
        await UntilAsync(() => writer.Begin(first.Nar) is not null); // it holds no place any more
    }

    [Fact]
    public async Task No_more_than_64_files_are_written_at_once_and_none_twice()
    {
        using var writer = new NarStoreWriter(
            new NarStoreFolder(_directory), 1 << 30, new Shelf(() => { }, (_, path) => File.Delete(path)));
        writer.Start();
        var writes = Enumerable.Range(0, 64).Select(_ => Begin(writer)).ToList();

        Assert.Null(writer.Begin(writes[0].Nar));
        Assert.Null(writer.Begin(Nar()));
        writes[0].Complete(Hash);
        writes[1].Abandon();
        await UntilAsync(() => writer.Begin(Nar()) is not null);
        await UntilAsync(() => writer.Begin(writes[0].Nar) is not null);
    }

    [Fact]
    public async Task A_file_with_another_hash_than_its_name_or_more_bytes_than_there_may_be_is_not_published()
    {
        var published = new List<StoredNar>();
        using var writer = new NarStoreWriter(
            new NarStoreFolder(_directory), 100, new Shelf(() => { }, (nar, _) => published.Add(nar)));
        writer.Start();
        var (other, large, right) = (Begin(writer), Begin(writer), Begin(writer));
        Append(other, 10);
        other.Complete(TestOutput.Make().Statement.NarHash);
        Append(large, 60);
        Append(large, 60);
        large.Complete(Hash);
        Append(right, 100);
        right.Complete(Hash);

        await UntilAsync(() => published.Count > 0 && Directory.GetFiles(_directory).Length is 1);
        Assert.Equal([right.Nar], published);
    }

    private static NarStoreWriter.Write Begin(NarStoreWriter writer) =>
        writer.Begin(Nar()) ?? throw new InvalidOperationException("It was not begun.");

    private static StoredNar Nar() => new(TestOutput.PathOf("some-1"), Hash, 1, Hash, "none");

    private static void Append(NarStoreWriter.Write write, int count)
    {
        var chunk = new NarChunk(0);
        var piece = chunk.Fill(Math.Min(count, chunk.Room.Length));
        write.Append(piece);
        piece.Chunk.Drop();
        chunk.Drop();
    }

    private sealed class Shelf(Action load, Action<StoredNar, string> publish, Action<StoredNar>? giveUp = null) : NarShelf
    {
        internal override void Load() => load();

        internal override void Publish(StoredNar nar, string path, FileStamp stamp) => publish(nar, path);

        internal override void GiveUp(StoredNar nar, Exception? exception) => giveUp?.Invoke(nar);
    }
}
