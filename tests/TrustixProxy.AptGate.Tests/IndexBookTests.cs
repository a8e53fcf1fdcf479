using TrustixProxy.Apt;
using TrustixProxy.AptGate.Indexes;
using TrustixProxy.Testing;

namespace TrustixProxy.AptGate.Tests;

/// <summary>What indexes said is kept by archive and path.</summary>
public sealed class IndexBookTests
{
    [Fact]
    public void A_reading_counts_once_it_is_whole_and_the_one_before_is_kept_for_a_while()
    {
        using var folder = new TestFolder();
        using var book = new IndexBook(folder.Path);
        Read(book, "one", "first", ("a", 1));

        var open = book.Begin("debian", "sid", "second");
        book.Add(open, PackagesOf(("b", 2)));
        Assert.Null(book.Find("one", PathOf("b")));

        book.Drop(open);
        Assert.False(book.HasRead("debian", "sid", "second"));
        Read(book, "one", "third", ("b", 3));
        Assert.Equal((1, 3), (book.Find("one", PathOf("a"))!.Size, book.Find("one", PathOf("b"))!.Size));
        Read(book, "one", "fourth", ("b", 4));
        Assert.Null(book.Find("one", PathOf("a")));
        Assert.Equal(4, book.Find("one", PathOf("b"))!.Size);
        Assert.Equal((1, true), (book.Count, book.HasRead("one", "sid", "fourth")));
    }

    [Fact]
    public void Archives_do_not_see_each_others_files_and_what_was_unfinished_goes_at_the_next_start()
    {
        using var folder = new TestFolder();
        using (var book = new IndexBook(folder.Path))
        {
            Read(book, "one", "first", ("a", 1));
            Read(book, "two", "first", ("a", 2));
            book.Add(book.Begin("one", "sid", "second"), PackagesOf(("c", 3)));
        }

        using var again = new IndexBook(folder.Path);
        again.DropUnfinished();

        Assert.Equal((1, 2), (again.Find("one", PathOf("a"))!.Size, again.Find("two", PathOf("a"))!.Size));
        Assert.Null(again.Find("one", PathOf("c")));
        Assert.Equal(["a_1.0_amd64.deb", "a_1.0_amd64.deb"], again.Search("a", 10).Select(found => found.FileName));
        Assert.Equal("1:1.0", again.Search("a_1.0_amd64.deb", 1).Single().File.Version);
    }

    private static void Read(IndexBook book, string archive, string name, params (string Name, int Size)[] packages)
    {
        var reading = book.Begin(archive, "sid", name);
        book.Add(reading, PackagesOf(packages));
        book.Commit(reading);
    }

    private static List<DebianPackage> PackagesOf(params (string Name, int Size)[] packages) => [.. packages.Select(package =>
        new DebianPackage(DebFile.TryParse($"{package.Name}_1.0_amd64.deb", out var file) ? file : null!, "1:1.0", PathOf(package.Name),
            package.Size, default))];

    private static string PathOf(string name) => $"pool/main/{name}/{name}/{name}_1.0_amd64.deb";
}
