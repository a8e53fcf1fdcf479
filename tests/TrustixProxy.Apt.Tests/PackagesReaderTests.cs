using System.Text;
using FsCheck;
using FsCheck.Fluent;
using static TrustixProxy.Apt.Tests.Make;

namespace TrustixProxy.Apt.Tests;

/// <summary>Indexes of packages, real and hostile.</summary>
public sealed class PackagesReaderTests
{
    private static readonly string Hash = DigestOf(1).ToString();

    private static readonly string HelloStanza = Stanza("hello", "2.10-3", "amd64", "pool/main/h/hello/hello_2.10-3_amd64.deb");

    private static readonly string Gcc =
        Stanza("g++", "4:14.2.0-1~bpo12+1", "amd64", "pool/main/g/gcc-defaults/g++_14.2.0-1~bpo12+1_amd64.deb");

    [Fact]
    public void Packages_are_found_with_their_whole_versions()
    {
        var (packages, skipped) = Read($"{HelloStanza}\n{Gcc}");

        Assert.Equal(0, skipped);
        Assert.Equal(
            [new DebianPackage(FileOf("hello_2.10-3_amd64.deb"), "2.10-3", "pool/main/h/hello/hello_2.10-3_amd64.deb", 52832, DigestOf(1)),
                new DebianPackage(FileOf("g++_14.2.0-1~bpo12+1_amd64.deb"), "4:14.2.0-1~bpo12+1",
                    "pool/main/g/gcc-defaults/g++_14.2.0-1~bpo12+1_amd64.deb", 52832, DigestOf(1))], packages);
    }

    [Fact]
    public void Wherever_the_bytes_are_cut_the_same_is_found() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(500), Prop.ForAll((int seed) =>
    {
        var random = new Random(seed);
        string[] stanzas = [HelloStanza, Gcc, "Package: broken\n", "\n",
            $"{HelloStanza}Description: {new string('x', random.Next(9000))}\n a\n .\n",
            "Tag: a\n b\n", "no colon\n"];
        var text = string.Join('\n', Enumerable.Range(0, random.Next(8)).Select(_ => stanzas[random.Next(stanzas.Length)]));
        var (whole, skipped) = Read(text);
        var (parts, skippedInParts) = Read(text, () => random.Next(1, 200));
        return whole.SequenceEqual(parts) && skipped == skippedInParts;
    }));

    [Theory]
    [InlineData("Package: hello\n", "")] // a field lacks
    [InlineData("Package: hello\n", "Package: hello\nPackage: hello\n")] // twice
    [InlineData("Package: hello\n", "Package: hello\n world\n")] // over two lines
    [InlineData("Package: hello\n", "Package:\n hello\n")]
    [InlineData("Package: hello\n", "Package: other\n")] // another name than the file's
    [InlineData("Version: 2.10-3", "Version: 2.10-4")]
    [InlineData("Architecture: amd64", "Architecture: arm64")]
    [InlineData("Size: 52832", "Size: -1")]
    [InlineData("Size: 52832", "Size: 52832 ")] // trimmed: the one that is found
    [InlineData("Size: 52832", "Size: 9223372036854775808")]
    [InlineData("SHA256: ", "SHA256: 0")]
    [InlineData("SHA256: ", "SHA512: ")]
    [InlineData("pool/main/h/hello/", "pool/../h/hello/")]
    [InlineData("pool/main/h/hello/", "pool//h/hello/")]
    [InlineData("pool/main/h/hello/", "/pool/")]
    [InlineData("pool/main/h/hello/", "pool/a%2fb/")]
    [InlineData("pool/main/h/hello/", "http://example.org/")]
    [InlineData("_amd64.deb", "_amd64.rpm")]
    public void A_stanza_that_is_odd_is_skipped_and_the_next_one_is_read(string good, string odd)
    {
        var stanza = HelloStanza.Replace(good, odd, StringComparison.Ordinal);
        Assert.NotEqual(HelloStanza, stanza);

        var (packages, skipped) = Read($"{stanza}\n{Gcc}");

        var isTrimmed = odd.EndsWith(' ') && odd.StartsWith("Size", StringComparison.Ordinal);
        Assert.Equal((isTrimmed ? 2 : 1, isTrimmed ? 0 : 1), (packages.Count, (int)skipped));
    }

    [Fact]
    public void Field_names_have_any_case_and_other_fields_any_length()
    {
        var text = HelloStanza.Replace("SHA256:", "sha256:", StringComparison.Ordinal) + $"Depends: {new string('x', 100_000)}\n";

        Assert.Single(Read(text).Packages);
        Assert.Empty(Read(HelloStanza.Replace("hello_", $"{new string('h', 5000)}_", StringComparison.Ordinal)).Packages);
    }

    [Fact]
    public void A_path_that_begins_with_a_dot_is_the_path_that_is_asked_for()
    {
        var (packages, _) = Read(HelloStanza.Replace("pool/main/h/hello/", "./", StringComparison.Ordinal));

        Assert.Equal("hello_2.10-3_amd64.deb", packages.Single().Path);
    }

    private static (List<DebianPackage> Packages, long Skipped) Read(string text, Func<int>? cut = null)
    {
        var packages = new List<DebianPackage>();
        var reader = new PackagesReader(packages.Add);
        var rest = Encoding.UTF8.GetBytes(text).AsSpan();
        while (rest.Length > 0)
        {
            var length = Math.Min(rest.Length, cut?.Invoke() ?? rest.Length);
            reader.Append(rest[..length]);
            rest = rest[length..];
        }

        reader.Complete();
        Assert.Equal(packages.Count, reader.Found);
        return (packages, reader.Skipped);
    }

    private static string Stanza(string name, string version, string architecture, string path) =>
        $"Package: {name}\nVersion: {version}\nInstalled-Size: 280\nArchitecture: {architecture}\nDepends: libc6 (>= 2.34)\n"
            + $"Description: an example\n with a second line\nFilename: {path}\nSize: 52832\nSHA256: {Hash}\n";
}
