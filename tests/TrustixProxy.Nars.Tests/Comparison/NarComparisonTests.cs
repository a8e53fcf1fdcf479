using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using TrustixProxy.Nars.Comparison;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Tests.Comparison;

public sealed class NarComparisonTests
{
    [Fact]
    public async Task Of_any_two_trees_exactly_what_differs_is_told()
    {
        for (var seed = 0; seed < 400; seed++)
        {
            var random = new Random(seed);
            var tree = Tree.Random(random);
            var other = tree.Changed(random);

            var (result, told) = await CompareAsync(Source(tree.ToNar(), random), Source(other.ToNar(), random));

            var (flat, flatOther) = (tree.Flat(), other.Flat());
            var expected = flat.Keys.Union(flatOther.Keys).Select(path => (path,
                Change(flat.GetValueOrDefault(path), flatOther.GetValueOrDefault(path)))).Where(item => item.Item2 is not null).ToHashSet();
            Assert.True(expected.SetEquals(told.Select(item => (item.Path, (NarChange?)item.Change))), $"seed {seed}");
            Assert.Equal(expected.Count is 0, result.IsSame);
            Assert.Equal(flat.Keys.Union(flatOther.Keys).Count() - expected.Count, result.Same);
            Assert.All(told, item => AssertContents(item, flat, flatOther));
        }
    }

    [Fact]
    public async Task Where_contents_differ_the_bytes_are_shown_also_across_blocks()
    {
        var contents = new byte[200_000];
        var changed = contents.ToArray();
        (changed[65_535], changed[65_536], changed[199_999]) = (1, 2, 3);

        var difference = (await CompareAsync(new Tree.File(contents, false), new Tree.File(changed, false))).Single().Contents!;

        Assert.Equal((65_535, 3, 65_520), (difference.First, difference.Bytes, difference.WindowStart));
        Assert.Equal(contents[..64], difference.WindowA);
        Assert.Equal(changed[65_520..65_584], difference.WindowB);
        Assert.Null(difference.Lines);
    }

    [Fact]
    public async Task Small_texts_are_compared_line_by_line_and_what_is_no_text_is_not()
    {
        var text = string.Concat(Enumerable.Range(1, 20).Select(number => $"line {number}\n"));

        var lines = (await CompareAsync(Tree.Text(text),
            Tree.Text(text.Replace("line 7\n", "line seven\nand more\n", StringComparison.Ordinal)[..^1]))).Single().Contents!.Lines;
        var binary = (await CompareAsync(Tree.Text(text), Tree.Text(text + "\u0001"))).Single().Contents!.Lines;
        var empty = (await CompareAsync(Tree.Text(""), Tree.Text("\u001b[31mx\u202e\n"))).Single().Contents;

        Assert.Equal(["@@ line 5 @@", " line 5", " line 6", "-line 7", "+line seven", "+and more", " line 8", " line 9", "@@ line 19 @@",
            " line 18", " line 19", "-line 20", "+line 20 (no newline at the end)"], lines);
        Assert.Null(binary);
        Assert.Null(empty!.Lines);
        Assert.Equal((0, 0), (empty.First, empty.Bytes));
    }

    [Fact]
    public async Task Texts_that_differ_in_everything_are_not_shown_line_by_line()
    {
        var (a, b) = (string.Concat(Enumerable.Range(0, 5000).Select(number => $"a{number}\n")),
            string.Concat(Enumerable.Range(0, 5000).Select(number => $"b{number}\n")));

        Assert.Null((await CompareAsync(Tree.Text(a), Tree.Text(b))).Single().Contents!.Lines);
    }

    [Theory]
    [InlineData("built on 2026-11-24 10:11:12 here", TraceKind.Time, "2026-11-24 10:11:12")]
    [InlineData("Nov 24 2026", TraceKind.Time, "Nov 24 2026")]
    [InlineData("Tue Nov 24 10:11:12 UTC 2026", TraceKind.Time, "Tue Nov 24 10:11:12 UTC 2026")]
    [InlineData("Tue, 24 Nov 2026 10:11:12", TraceKind.Time, "Tue, 24 Nov 2026 10:11:12")]
    [InlineData("#10:11:12#", TraceKind.Time, "10:11:12")]
    [InlineData("=1764000000;", TraceKind.Time, "1764000000 (2025-11-24 16:00:00Z)")]
    [InlineData("x\0/build/source/main.c\0", TraceKind.BuildPath, "/build/source/main.c")]
    [InlineData("-I/tmp/nix-build-a.drv-0/src ", TraceKind.BuildPath, null)] // after a letter it may be part of a longer path
    [InlineData(" /tmp/nix-build-a.drv-0/src ", TraceKind.BuildPath, "/tmp/nix-build-a.drv-0/src")]
    [InlineData("/home/alice/x:", TraceKind.BuildPath, "/home/alice/x")]
    [InlineData("/builder/x", TraceKind.BuildPath, null)]
    [InlineData(
        "/nix/store/00000000000000000000000000000000-gcc-1/bin", TraceKind.StorePath, "/nix/store/00000000000000000000000000000000-gcc-1")]
    public async Task Times_and_build_paths_that_only_one_has_are_pointed_out(string text, TraceKind kind, string? expected)
    {
        foreach (var before in new[] { 1, 65_536 - 12, 65_536 - 300, 131_072 - 5 })
        {
            var padding = new string('.', before) + "\n\0";
            var difference = (await CompareAsync(Tree.Text("\0" + padding), Tree.Text("\u0001" + padding + text + padding)))
                .Single().Contents!;

            Assert.Equal(expected is null ? [] : [new Trace(kind, expected)], difference.OnlyInB);
            Assert.Empty(difference.OnlyInA);
        }
    }

    [Fact]
    public async Task What_both_have_is_not_pointed_out_wherever_it_stands()
    {
        const string Trace = "/build/source/main.c 2026-11-24 ";
        var (a, b) = (new StringBuilder(), new StringBuilder("x"));
        for (var i = 0; i < 5000; i++)
        {
            a.Append(Trace).Append('.', i % 50);
            b.Append('.', i % 40).Append(Trace);
        }

        var difference = (await CompareAsync(Tree.Text(a.ToString()), Tree.Text(b.ToString()))).Single().Contents!;

        Assert.Empty(difference.OnlyInA);
        Assert.Empty(difference.OnlyInB);
    }

    [Fact]
    public async Task Times_in_headers_are_read()
    {
        var time = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(time, 1764000000);

        var gzip = (await CompareAsync(new Tree.File([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], false),
            new Tree.File([0x1f, 0x8b, 8, 0, .. time, 0, 3], false))).Single().Contents!;
        var python = (await CompareAsync(new Tree.File([0xcb, 0x0d, 0x0d, 0x0a, 0, 0, 0, 0, 1, 0, 0, 0], false),
            new Tree.File([0xcb, 0x0d, 0x0d, 0x0a, 0, 0, 0, 0, .. time], false))).Single().Contents!;
        var zip = (await CompareAsync(new Tree.File([(byte)'P', (byte)'K', 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0x21, 0, 0], false),
            new Tree.File([(byte)'P', (byte)'K', 3, 4, 0, 0, 0, 0, 0, 0, 0x65, 0x51, 0x78, 0x5b, 0], false))).Single().Contents!;

        Assert.Equal("1970-01-01 00:00:00Z in the gzip header, 2025-11-24 16:00:00Z in the gzip header",
            $"{gzip.OnlyInA.Single().Text}, {gzip.OnlyInB.Single().Text}");
        Assert.Equal("2025-11-24 16:00:00Z in the Python bytecode header", python.OnlyInB.Single().Text);
        Assert.Equal("1980-01-01 00:00:00 in the zip header, 2025-11-24 10:11:10 in the zip header",
            $"{zip.OnlyInA.Single().Text}, {zip.OnlyInB.Single().Text}");
    }

    [Fact]
    public async Task Names_and_targets_do_nothing_to_a_terminal()
    {
        var told = await CompareAsync(Tree.Of(("\u001b[2J\n\u009b\u202e", new Tree.Symlink("\u0007"))), Tree.Of());

        Assert.Equal("""\u001b[2J\u000a\u009b\u202e link \u0007""", $"{told.Single().Path} link {told.Single().A!.Target}");
        Assert.Equal("""\xff\xc3("é""", Printable.Of([0xff, 0xc3, 0x28, 0x22, 0xc3, 0xa9]));
    }

    [Fact]
    public async Task What_is_not_the_nar_that_was_named_is_no_answer()
    {
        var nar = Tree.Text("a").ToNar();
        var other = Source(Tree.Text("b").ToNar());
        NarSource Named(byte[] bytes, byte[] hashed, long size) =>
            Source(bytes) with { NarHash = NixHash.Sha256(SHA256.HashData(hashed)), NarSize = size };

        Assert.False((await CompareAsync(Named(nar, nar, nar.Length), other)).Result.IsSame);
        Assert.Contains("is not the declared one", await FaultAsync(Named(nar, [], nar.Length), other), StringComparison.Ordinal);
        Assert.Contains("has more than the declared 10 bytes", await FaultAsync(other, Named(nar, nar, 10)), StringComparison.Ordinal);
        Assert.Contains("is not a NAR (Truncated)", await FaultAsync(other, Source(nar[..^1])), StringComparison.Ordinal);
        Assert.Contains("is not a NAR (TrailingBytes)", await FaultAsync(other, Source([.. nar, 0])), StringComparison.Ordinal);
        Assert.Contains(
            "is not a NAR (TagLength)", await FaultAsync(Source("<html>no such file</html>"u8.ToArray()), other), StringComparison.Ordinal);
        Assert.Contains("cannot be read: \\u001b",
            await FaultAsync(new NarSource("x", null, null, _ => throw new IOException("\u001b")), other), StringComparison.Ordinal);
    }

    [Fact]
    public void Large_files_take_no_memory()
    {
        var head = new Tree.File(new byte[60_000_000], false).ToNar();
        var tail = head.ToArray();
        tail[^100] = 1;
        var before = GC.GetAllocatedBytesForCurrentThread();

        var result = NarComparison.RunAsync(new NarSource("a", null, null, _ => Task.FromResult<Stream>(new MemoryStream(head))),
            new NarSource("b", null, null, _ => Task.FromResult<Stream>(new MemoryStream(tail))), _ => { }, CancellationToken.None);

        Assert.True(result.IsCompletedSuccessfully); // all of it on this thread
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2 << 20);
    }

    private static void AssertContents(NarDifference told, Dictionary<string, Tree> a, Dictionary<string, Tree> b)
    {
        if (told.Contents is { } contents)
        {
            var (first, second) = (((Tree.File)a[told.Path]).Contents, ((Tree.File)b[told.Path]).Contents);
            Assert.Equal(first.AsSpan().CommonPrefixLength(second), contents.First);
            Assert.Equal(first.Zip(second).Count(pair => pair.First != pair.Second), contents.Bytes);
            Assert.Equal(first.Skip((int)contents.WindowStart).Take(64), contents.WindowA);
            Assert.Equal(second.Skip((int)contents.WindowStart).Take(64), contents.WindowB);
        }
        else
        {
            Assert.False(told.Change is NarChange.Changed && a[told.Path] is Tree.File first && b[told.Path] is Tree.File second
                && !first.Contents.SequenceEqual(second.Contents), told.Path);
        }
    }

    private static NarChange? Change(Tree? a, Tree? b) => (a, b) switch
    {
        (null, _) => NarChange.Added,
        (_, null) => NarChange.Removed,
        (Tree.Directory, Tree.Directory) => null,
        (Tree.File first, Tree.File second)
            when first.IsExecutable == second.IsExecutable && first.Contents.SequenceEqual(second.Contents) => null,
        (Tree.Symlink first, Tree.Symlink second) when first.Target == second.Target => null,
        _ => NarChange.Changed,
    };

    private static async Task<string> FaultAsync(NarSource a, NarSource b) =>
        (await Assert.ThrowsAsync<NarUnreadableException>(() => CompareAsync(a, b))).Message;

    private static async Task<List<NarDifference>> CompareAsync(Tree a, Tree b) =>
        (await CompareAsync(Source(a.ToNar()), Source(b.ToNar()))).Told;

    private static async Task<(ComparisonResult Result, List<NarDifference> Told)> CompareAsync(NarSource a, NarSource b)
    {
        var told = new List<NarDifference>();
        return (await NarComparison.RunAsync(a, b, told.Add, CancellationToken.None), told);
    }

    private static NarSource Source(byte[] nar, Random? random = null) =>
        new("x", null, null, _ => Task.FromResult<Stream>(random is null ? new MemoryStream(nar) : new Dripping(nar, random)));

    /// <summary>Gives few bytes at a time.</summary>
    private sealed class Dripping(byte[] bytes, Random random) : MemoryStream(bytes)
    {
        private readonly int _most = random.Next(3) switch { 0 => 7, 1 => 5000, _ => 100_000 };

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, _most)], cancellationToken);
    }
}
