using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using TrustixProxy.Nars.Comparison;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Nars.Tests.Comparison;

public sealed class NarListingTests
{
    [Fact]
    public async Task Of_any_tree_it_names_each_node_and_where_its_contents_are()
    {
        for (var seed = 0; seed < 200; seed++)
        {
            var tree = Tree.Random(new Random(seed));
            var nar = tree.ToNar();

            using var listing = JsonDocument.Parse(await ListAsync(nar));

            Assert.Equal(1, listing.RootElement.GetProperty("version").GetInt32());
            AssertIs(tree, listing.RootElement.GetProperty("root"), nar);
        }
    }

    [Theory]
    [InlineData("\"quoted\" \\ back", "\"\\\"quoted\\\" \\\\ back\"")]
    [InlineData("größe<script>", "\"größe<script>\"")]
    [InlineData("tab\tbell\a", "\"tab\\tbell\\u0007\"")]
    public async Task Names_are_written_as_nix_writes_them(string name, string written)
    {
        var nar = TestOutput.Pack(writer =>
        {
            writer.Directory();
            writer.Entry(name);
            writer.Symlink("x");
            writer.EndEntry();
            writer.EndDirectory();
        });

        Assert.Equal(
            $$$"""{"root":{"entries":{{{{written}}}:{"target":"x","type":"symlink"}},"type":"directory"},"version":1}""",
            Encoding.UTF8.GetString(await ListAsync(nar)));
    }

    [Fact]
    public async Task A_file_alone_and_an_empty_directory_are_listed()
    {
        Assert.Equal("""{"root":{"narOffset":96,"size":3,"type":"regular"},"version":1}""",
            Encoding.UTF8.GetString(await ListAsync(TestOutput.Pack(writer => writer.File("abc"u8)))));
        var empty = await ListAsync(TestOutput.Pack(writer =>
        {
            writer.Directory();
            writer.EndDirectory();
        }));
        Assert.Equal("""{"root":{"entries":{},"type":"directory"},"version":1}""", Encoding.UTF8.GetString(empty));
    }

    [Fact]
    public async Task As_deep_as_a_nar_may_be_is_listed_and_what_is_deeper_is_no_nar()
    {
        Assert.Equal(63, Encoding.UTF8.GetString(await ListAsync(Nested(63))).Split("\"directory\"").Length - 1);
        await Assert.ThrowsAsync<NarUnreadableException>(() => ListAsync(Nested(70)));
    }

    [Fact]
    public async Task A_name_that_is_not_utf8_has_no_listing()
    {
        var nar = TestOutput.Pack(writer =>
        {
            writer.Directory();
            writer.Entry("xxxx");
            writer.File("abc"u8);
            writer.EndEntry();
            writer.EndDirectory();
        });
        var at = nar.AsSpan().IndexOf("xxxx"u8);
        nar[at] = 0xff;

        var fault = await Assert.ThrowsAsync<NarUnreadableException>(() => ListAsync(nar));

        Assert.Contains("not UTF-8", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_nar_of_another_hash_has_no_listing()
    {
        var nar = TestOutput.Pack(writer => writer.File("abc"u8));
        var other = NixHash.Sha256(SHA256.HashData("other"u8));

        var source = new NarSource("x", other, nar.Length, _ => Task.FromResult<Stream>(new MemoryStream(nar)));

        await Assert.ThrowsAsync<NarUnreadableException>(() => NarListing.WriteAsync(source, default));
    }

    /// <summary>A million links without end: the listing ends at its bound, long before the NAR.</summary>
    [Fact]
    public async Task A_listing_that_grows_too_large_ends_the_reading()
    {
        var read = new CountingStream(Endless());

        var fault = await Assert.ThrowsAsync<NarUnreadableException>(
            () => NarListing.WriteAsync(new NarSource("x", null, null, _ => Task.FromResult<Stream>(read)), default));

        Assert.Contains("has a listing of more than", fault.Message, StringComparison.Ordinal);
        Assert.InRange(read.Count, 1, 4L * NarListing.MaxSize);
    }

    private static void AssertIs(Tree tree, JsonElement node, byte[] nar)
    {
        switch (tree)
        {
            case Tree.File file:
                var offset = node.GetProperty("narOffset").GetInt32();
                Assert.Equal("regular", node.GetProperty("type").GetString());
                Assert.Equal(file.Contents, nar[offset..(offset + node.GetProperty("size").GetInt32())]);
                Assert.Equal(file.IsExecutable, node.TryGetProperty("executable", out _));
                break;
            case Tree.Symlink link:
                Assert.Equal(("symlink", link.Target), (node.GetProperty("type").GetString(), node.GetProperty("target").GetString()));
                break;
            case Tree.Directory folder:
                Assert.Equal("directory", node.GetProperty("type").GetString());
                var entries = node.GetProperty("entries").EnumerateObject().ToList();
                Assert.Equal(folder.Entries.Keys, entries.Select(entry => entry.Name));
                entries.ForEach(entry => AssertIs(folder.Entries[entry.Name], entry.Value, nar));
                break;
        }
    }

    private static Task<byte[]> ListAsync(byte[] nar) => NarListing.WriteAsync(
        new NarSource("x", NixHash.Sha256(SHA256.HashData(nar)), nar.Length, _ => Task.FromResult<Stream>(new MemoryStream(nar))), default);

    private static byte[] Nested(int depth) => TestOutput.Pack(writer =>
    {
        for (var i = 0; i < depth; i++)
        {
            writer.Directory();
            if (i < depth - 1)
            {
                writer.Entry("d");
            }
        }

        for (var i = 0; i < depth; i++)
        {
            writer.EndDirectory();
            if (i < depth - 1)
            {
                writer.EndEntry();
            }
        }
    });

    private static IEnumerable<byte[]> Endless()
    {
        using var stream = new MemoryStream();
        var writer = new NarWriter(stream);
        writer.Directory();
        var target = new string('t', 4000);
        for (var i = 0; ; i++)
        {
            writer.Entry(i.ToString("d9", CultureInfo.InvariantCulture));
            writer.Symlink(target);
            writer.EndEntry();
            yield return stream.ToArray();
            stream.SetLength(0);
        }
    }

    private sealed class CountingStream(IEnumerable<byte[]> pieces) : Stream
    {
        private readonly IEnumerator<byte[]> _pieces = pieces.GetEnumerator();
        private ReadOnlyMemory<byte> _rest;

        public long Count { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count)
        {
            if (_rest.IsEmpty)
            {
                _pieces.MoveNext();
                _rest = _pieces.Current;
            }

            var taken = Math.Min(count, _rest.Length);
            _rest[..taken].CopyTo(buffer.AsMemory(offset));
            _rest = _rest[taken..];
            Count += taken;
            return taken;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            _pieces.Dispose();
            base.Dispose(disposing);
        }
    }
}
