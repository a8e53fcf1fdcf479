using TrustixProxy.Nix;

namespace TrustixProxy.Publisher.Tests;

public sealed class GuixStoreTests : IDisposable
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);

    private readonly GuixMachine _machine = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("trustix-tree-").FullName;

    public void Dispose()
    {
        _machine.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void A_closure_has_references_before_their_referrers_and_each_path_once()
    {
        var c = _machine.Build("c-1.0", Noon).Path;
        var b = _machine.Build("b-1.0", Noon, c).Path;
        var a = _machine.Build("a-1.0", Noon, c, b).Path;
        var top = _machine.Build("top-1.0", Noon, a, b, c).Path;

        Assert.Equal([c, b, a, top], _machine.Store.Closure(top));
    }

    [Fact]
    public void A_description_says_whether_a_path_was_built_here()
    {
        var built = _machine.Build("built-1.0", Noon);
        var fetched = _machine.Register(GuixMachine.PathOf("fetched-1.0"), Noon, GuixMachine.PathOf("fetched-1.0.drv"), 7, built.Path);

        var described = _machine.Store.Describe([built.Path, fetched.Path]);

        Assert.Equal([built.Value, fetched.Value], described.Select(output => output.Statement.Value));
        Assert.Equal([true, false], described.Select(output => output.IsBuiltHere));
    }

    [Fact]
    public void An_unregistered_path_is_named()
    {
        var path = GuixMachine.PathOf("nothing-1.0");

        Assert.Empty(_machine.Store.Valid([path]));
        foreach (var ask in new Func<object>[] { () => _machine.Store.Describe([path]), () => _machine.Store.Closure(path) })
        {
            Assert.Contains(path.Absolute, Assert.Throws<NixException>(ask).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_folder_is_dumped_as_its_NAR()
    {
        byte[] large = [.. Enumerable.Range(0, 100_001).Select(i => (byte)(i % 251))];
        Directory.CreateDirectory(Path.Combine(_folder, "top", "empty"));
        File.WriteAllBytes(Path.Combine(_folder, "top", "a.b"), large);
        File.WriteAllText(Path.Combine(_folder, "top", "a-b"), "");
        File.WriteAllText(Path.Combine(_folder, "top", "Z"), "run");
        File.SetUnixFileMode(Path.Combine(_folder, "top", "Z"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
        File.CreateSymbolicLink(Path.Combine(_folder, "top", "é"), "/nowhere/ü");
        Directory.CreateSymbolicLink(Path.Combine(_folder, "top", "to-a-folder"), "empty");
        using var expected = new MemoryStream();
        var nar = new NarWriter(expected);
        nar.Directory();
        Entry("Z", () => nar.File("run"u8, executable: true));
        Entry("a-b", () => nar.File([]));
        Entry("a.b", () => nar.File(large));
        Entry("empty", () =>
        {
            nar.Directory();
            nar.EndDirectory();
        });
        Entry("to-a-folder", () => nar.Symlink("empty"));
        Entry("é", () => nar.Symlink("/nowhere/ü"));
        nar.EndDirectory();
        using var written = new MemoryStream();

        NarTree.Write(Path.Combine(_folder, "top"), written);

        Assert.Equal(expected.ToArray(), written.ToArray());

        void Entry(string name, Action node)
        {
            nar.Entry(name);
            node();
            nar.EndEntry();
        }
    }

    [Fact]
    public async Task A_dump_of_nothing_ends_with_an_error_that_names_the_path()
    {
        var path = GuixMachine.PathOf("nothing-1.0");
        await using var dump = GuixStore.Dump(path);

        var fault = await Assert.ThrowsAsync<IOException>(() => dump.CopyToAsync(Stream.Null));

        Assert.Contains(path.Absolute, fault.Message, StringComparison.Ordinal);
    }
}
