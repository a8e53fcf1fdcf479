using System.Security.Cryptography;
using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace TrustixProxy.Nix.Tests;

public sealed class ContentAddressCheckTests
{
    private static readonly StorePath Path = StorePath.TryParse("n5wkd9frr45pa74if5gpz9j7mifg27fh-foo", out var path, out _) ? path
        : throw new InvalidOperationException();
    private static readonly byte[] Contents = "some contents, of no account"u8.ToArray();

    [Theory]
    [InlineData("fixed:sha256")]
    [InlineData("fixed:sha512")]
    [InlineData("text:sha256")]
    public void The_contents_of_one_regular_file_are_what_a_flat_or_text_address_hashes(string method)
    {
        var address = Address(method, Hash(method, Contents));

        Assert.True(IsOf(address, Nar(nar => nar.File(Contents))));
        Assert.False(IsOf(address, Nar(nar => nar.File([.. Contents, 1]))));
        Assert.False(IsOf(address, Nar(nar => nar.File(Contents.AsSpan(1)))));
        Assert.False(IsOf(address, Nar(nar => nar.File(Contents, executable: true))));
        Assert.False(IsOf(address, Nar(nar => nar.Symlink("x"))));
        Assert.False(IsOf(address, Nar(nar =>
        {
            nar.Directory();
            nar.Entry("x");
            nar.File(Contents);
            nar.EndEntry();
            nar.EndDirectory();
        })));
        Assert.False(IsOf(address, Nar(nar => nar.File(Contents))[..90]));
        Assert.False(IsOf(address, []));
    }

    [Fact]
    public void An_empty_file_is_one() => Assert.True(IsOf(Address("fixed:sha256", SHA256.HashData([])), Nar(nar => nar.File([]))));

    [Theory]
    [InlineData("fixed:r:sha256")]
    [InlineData("fixed:r:sha512")]
    public void The_archive_is_what_a_recursive_address_hashes(string method)
    {
        var nar = Nar(nar => nar.File(Contents, executable: true));
        var address = Address(method, Hash(method, nar));

        Assert.True(IsOf(address, nar));
        Assert.False(IsOf(address, [.. nar[..^30], 1, .. nar[^29..]]));
    }

    [Fact]
    public void References_to_itself_are_hashed_as_zeros_and_then_where_they_are() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(300), Prop.ForAll((int seed) =>
    {
        var random = new Random(seed);
        var own = Encoding.ASCII.GetBytes(Path.Digest.ToString());
        byte[] contents = [.. Enumerable.Range(0, random.Next(1, 5))
            .SelectMany(_ => (byte[])[.. Bytes(random), .. random.Next(3) is 0 ? own.AsSpan(0, random.Next(32)).ToArray() : own])];
        var nar = Nar(writer => writer.File(contents));
        var address = Address("fixed:r:sha256", SHA256.HashData(Modulo(nar, own)));
        return IsOf(address, nar, random)
            && !IsOf(address, nar.AsSpan().ToArray().Select((b, i) => i == 100 ? (byte)(b ^ 1) : b).ToArray(), random);
    }));

    [Fact]
    public void A_reference_may_lie_across_any_two_pieces()
    {
        var own = Encoding.ASCII.GetBytes(Path.Digest.ToString());
        var nar = Nar(writer => writer.File([.. "before "u8, .. own, .. own, .. " after"u8]));
        var address = Address("fixed:r:sha512", SHA512.HashData(Modulo(nar, own)));
        for (var i = 0; i <= nar.Length; i++)
        {
            using var check = new ContentAddressCheck(address, Path);
            check.Append(nar.AsSpan(0, i));
            check.Append(nar.AsSpan(i));
            Assert.True(check.Complete());
        }
    }

    [Fact]
    public void Zeros_in_the_place_of_a_reference_are_something_else()
    {
        var own = Encoding.ASCII.GetBytes(Path.Digest.ToString());
        var address = Address("fixed:r:sha256", SHA256.HashData(Modulo(Nar(writer => writer.File(own)), own)));

        Assert.False(IsOf(address, Nar(writer => writer.File(new byte[32]))));
    }

    [Theory]
    [InlineData("fixed:md5", 16)]
    [InlineData("fixed:r:sha1", 20)]
    [InlineData("fixed:git:sha256", 32)]
    public void What_is_weak_or_no_archive_cannot_be_checked(string method, int size)
    {
        var address = Address(method, new byte[size]);

        Assert.False(address.IsCheckable);
        Assert.Throws<ArgumentException>(() => new ContentAddressCheck(address, Path));
    }

    /// <summary>The text that is hashed, made the slow way.</summary>
    private static byte[] Modulo(byte[] nar, byte[] own)
    {
        var text = Encoding.Latin1.GetString(nar);
        var tail = new StringBuilder();
        for (var at = text.IndexOf(Encoding.ASCII.GetString(own), StringComparison.Ordinal); at >= 0; at = text.IndexOf(
            Encoding.ASCII.GetString(own), StringComparison.Ordinal))
        {
            text = text[..at] + new string('\0', own.Length) + text[(at + own.Length)..];
            tail.Append('|').Append(at);
        }

        return Encoding.Latin1.GetBytes(text + tail);
    }

    private static bool IsOf(ContentAddress address, byte[] nar, Random? random = null)
    {
        using var check = new ContentAddressCheck(address, Path);
        for (var i = 0; i < nar.Length;)
        {
            var count = Math.Min(random?.Next(1, 50) ?? 7, nar.Length - i);
            check.Append(nar.AsSpan(i, count));
            i += count;
        }

        return check.Complete();
    }

    private static byte[] Bytes(Random random)
    {
        var bytes = new byte[random.Next(60)];
        random.NextBytes(bytes);
        return bytes;
    }

    private static byte[] Nar(Action<NarWriter> write)
    {
        using var stream = new MemoryStream();
        write(new NarWriter(stream));
        return stream.ToArray();
    }

    private static byte[] Hash(string method, byte[] bytes) =>
        method.EndsWith("sha512", StringComparison.Ordinal) ? SHA512.HashData(bytes) : SHA256.HashData(bytes);

    private static ContentAddress Address(string method, byte[] hash) =>
        ContentAddress.TryParse($"{method}:{Nix32.Encode(hash)}", out var address) ? address : throw new ArgumentException(method);
}
