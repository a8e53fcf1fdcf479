using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace TrustixProxy.Nix.Tests;

public sealed class NarReaderTests
{
    [Fact]
    public void The_golden_file_has_the_golden_hash()
    {
        var vector = Vectors.All("nix32").Single(vector => vector.TryGetProperty("nar_of_file_content", out _));
        using var stream = new MemoryStream();
        new NarWriter(stream).File(Encoding.ASCII.GetBytes(vector.Text("nar_of_file_content")));

        Assert.Equal(vector.Text("nar_sha256_nix32"), Nix32.Encode(SHA256.HashData(stream.ToArray())));
    }

    [Fact]
    public void What_the_writer_writes_is_an_archive_however_it_is_cut()
    {
        var nar = Tree();
        for (var size = 1; size <= nar.Length; size = size < 70 ? size + 1 : size * 2)
        {
            Assert.Equal(NarError.None, Read(nar, size));
        }
    }

    [Fact]
    public void Nodes_are_told_of_in_order_however_the_bytes_are_cut()
    {
        using var stream = new MemoryStream();
        var nar = new NarWriter(stream);
        nar.Directory();
        nar.Entry("a");
        nar.File("12345"u8, executable: true);
        nar.EndEntry();
        nar.Entry("b");
        nar.Symlink("to/a");
        nar.EndEntry();
        nar.Entry("c");
        nar.File([]);
        nar.EndEntry();
        nar.EndDirectory();

        for (var size = 1; size <= stream.Length; size = size < 20 ? size + 1 : size * 2)
        {
            Assert.Equal("Directory Entry:a File:5:True Close Entry:b Symlink:to/a Close Entry:c File:0:False Close Close",
                string.Join(' ', Events(stream.ToArray(), size)));
        }
    }

    [Fact]
    public void Every_beginning_of_an_archive_is_truncated_and_no_more()
    {
        var nar = Tree();
        for (var length = 0; length < nar.Length; length++)
        {
            Assert.Equal(NarError.Truncated, Read(nar[..length], 4096));
        }
    }

    [Fact]
    public void Bytes_after_the_end_are_refused() => Assert.Equal(NarError.TrailingBytes, Read([.. Tree(), 0], 4096));

    [Theory]
    [InlineData(NarError.Magic, "nix-archive-2", "(", "type", "directory", ")")]
    [InlineData(NarError.Tag, "nix-archive-1", "(", "type", "regular", ")")] // a file without contents
    [InlineData(NarError.Tag, "nix-archive-1", "(", "type", "fifo", ")")]
    [InlineData(NarError.Tag, "nix-archive-1", "(", "type", "regular", "executable", "x", "contents", "", ")")]
    [InlineData(NarError.Tag, "nix-archive-1", "(", "type", "regular", "contents", "", "executable", "", ")")]
    [InlineData(NarError.Tag, "nix-archive-1", "(", "type", "directory", "entry", "(", "node", "name")]
    [InlineData(NarError.TagLength, "nix-archive-1", "a-tag-that-is-longer-than-any-tag-there-is")]
    [InlineData(NarError.NameLength, "nix-archive-1", "(", "type", "directory", "entry", "(", "name", "")]
    [InlineData(NarError.Name, "nix-archive-1", "(", "type", "directory", "entry", "(", "name", ".")]
    [InlineData(NarError.Name, "nix-archive-1", "(", "type", "directory", "entry", "(", "name", "..")]
    [InlineData(NarError.Name, "nix-archive-1", "(", "type", "directory", "entry", "(", "name", "a/b")]
    [InlineData(NarError.Name, "nix-archive-1", "(", "type", "directory", "entry", "(", "name", "a\0b")]
    [InlineData(NarError.Name, "nix-archive-1", "(", "type", "directory", "entry", "(", "name", "a~nix~case~hack~1")]
    [InlineData(NarError.TargetLength, "nix-archive-1", "(", "type", "symlink", "target", "")]
    [InlineData(NarError.Target, "nix-archive-1", "(", "type", "symlink", "target", "a\0")]
    public void What_the_grammar_does_not_know_is_refused_for_its_own_reason(NarError expected, params string[] words) =>
        Assert.Equal(expected, Read(Words(words), 4096));

    [Theory]
    [InlineData("b", "a")]
    [InlineData("a", "a")]
    [InlineData("a", "B")]
    public void Names_come_in_the_order_of_their_bytes(string first, string second)
    {
        var nar = Nar(writer =>
        {
            writer.Directory();
            foreach (var name in new[] { first, second })
            {
                writer.Entry(name);
                writer.File([]);
                writer.EndEntry();
            }

            writer.EndDirectory();
        });

        Assert.Equal(NarError.NameOrder, Read(nar, 4096));
    }

    [Theory]
    [InlineData(63, NarError.None)]
    [InlineData(64, NarError.Depth)]
    public void A_node_lies_within_63_directories_at_most(int depth, NarError expected) =>
        Assert.Equal(expected, Read(Nar(writer => Nest(writer, depth)), 4096));

    [Theory]
    [InlineData(255, NarError.None)]
    [InlineData(256, NarError.NameLength)]
    public void A_name_has_255_bytes_at_most(int length, NarError expected) =>
        Assert.Equal(expected, Read(Nar(writer => OneEntry(writer, new string('n', length), () => writer.File([]))), 4096));

    [Theory]
    [InlineData(4095, NarError.None)]
    [InlineData(4096, NarError.TargetLength)]
    public void A_link_has_4095_bytes_at_most(int length, NarError expected) =>
        Assert.Equal(expected, Read(Nar(writer => writer.Symlink(new string('t', length))), 4096));

    [Fact]
    public void Padding_is_zero_in_words_and_in_files()
    {
        var word = Words("nix-archive-1", "(");
        word[^1] = 1;
        var file = Nar(writer => writer.File("x"u8));
        file[Array.LastIndexOf(file, (byte)'x') + 1] = 1;

        Assert.Equal(NarError.Padding, Read(word, 4096));
        Assert.Equal(NarError.Padding, Read(file, 4096));
        Assert.Equal(NarError.Padding, Read(file, 1));
    }

    [Fact]
    public void A_file_of_impossible_size_is_refused_at_once()
    {
        var nar = Words("nix-archive-1", "(", "type", "regular", "contents");
        var size = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(size, ulong.MaxValue);

        Assert.Equal(NarError.FileSize, Read([.. nar, .. size], 4096));
    }

    private static byte[] Tree() => Nar(writer =>
    {
        writer.Directory();
        writer.Entry("a");
        writer.File("hello"u8);
        writer.EndEntry();
        writer.Entry("b");
        writer.File(new byte[1000], executable: true);
        writer.EndEntry();
        writer.Entry("c");
        OneEntry(writer, "link", () => writer.Symlink("../a"));
        writer.EndEntry();
        writer.Entry("d");
        writer.File([]);
        writer.EndEntry();
        writer.EndDirectory();
    });

    private static void Nest(NarWriter writer, int depth)
    {
        if (depth is 0)
        {
            writer.File([]);
            return;
        }

        OneEntry(writer, "d", () => Nest(writer, depth - 1));
    }

    private static void OneEntry(NarWriter writer, string name, Action node)
    {
        writer.Directory();
        writer.Entry(name);
        node();
        writer.EndEntry();
        writer.EndDirectory();
    }

    [Fact]
    public void The_mark_of_macos_clients_passes_where_somebody_vouches_for_the_archive()
    {
        using var stream = new MemoryStream();
        var writer = new NarWriter(stream);
        OneEntry(writer, "a~nix~case~hack~1", () => writer.File([]));

        Assert.Equal(NarError.Name, new NarReader().Append(stream.ToArray()));
        Assert.Equal(NarError.None, new NarReader(allowsCaseHack: true).Append(stream.ToArray()));
    }

    private static NarError Read(byte[] nar, int cut)
    {
        var reader = new NarReader();
        foreach (var part in nar.Chunk(cut))
        {
            reader.Append(part);
        }

        return reader.Complete();
    }

    private static byte[] Nar(Action<NarWriter> write)
    {
        using var stream = new MemoryStream();
        write(new NarWriter(stream));
        return stream.ToArray();
    }

    private static byte[] Words(params string[] words)
    {
        using var stream = new MemoryStream();
        foreach (var word in words)
        {
            var bytes = Encoding.ASCII.GetBytes(word);
            var length = new byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(length, bytes.Length);
            stream.Write(length);
            stream.Write(bytes);
            stream.Write(new byte[-bytes.Length & 7]);
        }

        return stream.ToArray();
    }

    private static IEnumerable<string> Events(byte[] nar, int size)
    {
        var reader = new NarReader();
        for (var start = 0; start < nar.Length;)
        {
            Assert.Equal(
                NarError.None, reader.Read(nar.AsSpan(start, Math.Min(size, nar.Length - start)), out var taken, out var happened));
            start += taken;
            if (happened is not NarEvent.None)
            {
                yield return happened switch
                {
                    NarEvent.Entry or NarEvent.Symlink => $"{happened}:{Encoding.UTF8.GetString(reader.Word)}",
                    NarEvent.File => $"File:{reader.FileSize}:{reader.IsExecutable}",
                    _ => $"{happened}",
                };
            }
        }

        Assert.Equal(NarError.None, reader.Complete());
    }
}
