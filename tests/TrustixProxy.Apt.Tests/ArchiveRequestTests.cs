using FsCheck;
using FsCheck.Fluent;

namespace TrustixProxy.Apt.Tests;

/// <summary>What apt asks for, and what no door lets through.</summary>
public sealed class ArchiveRequestTests
{
    [Theory]
    [InlineData("/debian/dists/sid/InRelease", "dists/sid/InRelease", RequestKind.Index, false)]
    [InlineData("/debian/dists/sid/main/binary-amd64/Packages.xz", "dists/sid/main/binary-amd64/Packages.xz", RequestKind.Index, true)]
    [InlineData("/debian/dists/sid/main/i18n/Translation-en.xz", "dists/sid/main/i18n/Translation-en.xz", RequestKind.Index, false)]
    [InlineData("/debian/dists/sid/main/binary-amd64/Packages.diff/Index", "dists/sid/main/binary-amd64/Packages.diff/Index",
        RequestKind.IndexDiff, false)]
    [InlineData("/debian/pool/main/h/hello/hello_2.10-3.dsc", "pool/main/h/hello/hello_2.10-3.dsc", RequestKind.Other, false)]
    [InlineData("/flat/./Packages", "Packages", RequestKind.Index, true)]
    [InlineData("/flat/InRelease", "InRelease", RequestKind.Index, false)]
    public void A_target_is_an_archive_a_path_and_a_kind(string target, string path, RequestKind kind, bool mayBePackages)
    {
        var request = Parse(target);

        Assert.Equal((path, kind, mayBePackages), (request.Path, request.Kind, request.MayBePackages));
        Assert.Null(request.File);
    }

    [Theory]
    [InlineData("/debian/pool/main/g/gcc/g%2b%2b_4%3a14.2-1%7ebpo12%2b1_amd64.deb", "g++", "4:14.2-1~bpo12+1", "amd64")]
    [InlineData("/debian/pool/main/g/gcc/g++_14.2-1~bpo12+1_all.udeb", "g++", "14.2-1~bpo12+1", "all")]
    [InlineData("/debian/dists/sid/evil_1_all.deb", "evil", "1", "all")]
    public void A_package_is_told_by_its_file_name_wherever_it_is(string target, string name, string version, string architecture)
    {
        var request = Parse(target);

        Assert.Equal(RequestKind.Package, request.Kind);
        Assert.Equal((name, version, architecture), (request.File!.Name, request.File.Version, request.File.Architecture));
    }

    [Theory]
    [InlineData("SHA256", 64, "dists/sid/main/binary-amd64/", true)]
    [InlineData("SHA512", 128, "dists/sid/main/debian-installer/binary-amd64/", true)]
    [InlineData("MD5Sum", 32, "dists/sid/main/i18n/", false)]
    [InlineData("SHA1", 40, "", true)]
    public void A_file_by_hash_has_its_hash(string algorithm, int length, string folder, bool mayBePackages)
    {
        var hash = new string('a', length);
        var request = Parse($"/debian/{folder}by-hash/{algorithm}/{hash}");

        Assert.Equal((RequestKind.ByHash, algorithm, hash), (request.Kind, request.HashName, request.HashHex));
        Assert.Equal(mayBePackages, request.MayBePackages);
    }

    [Theory]
    [InlineData("", RequestError.NotPath)]
    [InlineData("*", RequestError.NotPath)]
    [InlineData("http://example.org/debian/dists/sid/InRelease", RequestError.NotPath)]
    [InlineData("example.org:443", RequestError.NotPath)]
    [InlineData("//example.org/dists", RequestError.Segment)]
    [InlineData("/", RequestError.Segment)]
    [InlineData("/debian", RequestError.NoFile)]
    [InlineData("/debian/", RequestError.Segment)]
    [InlineData("/debian/.", RequestError.NoFile)]
    [InlineData("/debian//dists", RequestError.Segment)]
    [InlineData("/debian/../etc/passwd", RequestError.Segment)]
    [InlineData("/../debian/x", RequestError.Segment)]
    [InlineData("/debian/%2e%2e/x", RequestError.Escape)]
    [InlineData("/debian/%2E./x", RequestError.Escape)]
    [InlineData("/debian/a%2fb", RequestError.Escape)]
    [InlineData("/debian/a%5cb", RequestError.Escape)]
    [InlineData("/debian/a%252fb", RequestError.Escape)]
    [InlineData("/debian/a%00b", RequestError.Escape)]
    [InlineData("/debian/a%0ab", RequestError.Escape)]
    [InlineData("/debian/a%20b", RequestError.Escape)]
    [InlineData("/debian/a%c3%a9", RequestError.Escape)]
    [InlineData("/debian/a%", RequestError.Escape)]
    [InlineData("/debian/a%2", RequestError.Escape)]
    [InlineData("/debian/a%zz", RequestError.Escape)]
    [InlineData("/debian/a%3fb", RequestError.Escape)]
    [InlineData("/debian/a\\b", RequestError.Character)]
    [InlineData("/debian/a b", RequestError.Character)]
    [InlineData("/debian/a\u0000b", RequestError.Character)]
    [InlineData("/debian/a\u007fb", RequestError.Character)]
    [InlineData("/debian/é", RequestError.Character)]
    [InlineData("/debian/x?y", RequestError.Query)]
    [InlineData("/debian/x#y", RequestError.Query)]
    [InlineData("/debian/pool/hello.deb", RequestError.PackageName)]
    [InlineData("/debian/pool/hello_1_amd64.DEB", RequestError.PackageName)]
    [InlineData("/debian/pool/hello_1_a_b.deb", RequestError.PackageName)]
    [InlineData("/debian/pool/_1_all.deb", RequestError.PackageName)]
    [InlineData("/debian/pool/-x_1_all.udeb", RequestError.PackageName)]
    [InlineData("/debian/dists/sid/by-hash/SHA256/abc", RequestError.ByHash)]
    [InlineData("/debian/dists/sid/by-hash/CRC/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", RequestError.ByHash)]
    [InlineData("/debian/dists/sid/by-hash/MD5Sum/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", RequestError.ByHash)]
    public void Whatever_could_leave_the_archive_is_refused(string target, RequestError expected)
    {
        Assert.False(ArchiveRequest.TryParse(target, out _, out var error));
        Assert.Equal(expected, error);
    }

    [Fact]
    public void A_target_of_2048_characters_is_the_longest()
    {
        var longest = $"/debian/{new string('a', 2040)}";

        Assert.True(ArchiveRequest.TryParse(longest, out _, out _));
        Assert.False(ArchiveRequest.TryParse($"{longest}a", out _, out var error));
        Assert.Equal(RequestError.TooLong, error);
    }

    [Fact]
    public void What_is_asked_of_the_archive_is_what_was_asked_of_us() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(5000), Prop.ForAll((int seed) =>
    {
        var random = new Random(seed);
        string[] parts = ["/", "a", "+", "~", ":", "..", ".", "%2b", "%7E", "%2f", "%2e", "_1_all.deb", "by-hash", "&", "\\", "é", "%25"];
        var target = "/x/" + string.Concat(Enumerable.Range(0, random.Next(1, 8)).Select(_ => parts[random.Next(parts.Length)]));
        if (!ArchiveRequest.TryParse(target, out var request, out _))
        {
            return true;
        }

        var again = Parse($"/x/{request.UrlPath}");
        return again == request && new Uri(new Uri("http://archive.example/x/"), request.UrlPath).AbsolutePath == $"/x/{request.UrlPath}"
            && !request.Path.Split('/').Any(segment => segment is "" or "." or "..");
    }));

    [Theory]
    [InlineData("!<arch>\ndebian-binary", true)]
    [InlineData("0.939000\n", true)]
    [InlineData("-----BEGIN PGP SIGNED MESSAGE-----", false)]
    [InlineData("!<arch>", false)]
    [InlineData("", false)]
    public void A_package_under_another_name_is_told_by_its_first_bytes(string text, bool isPackage) =>
        Assert.Equal(isPackage, DebMagic.IsPackage(System.Text.Encoding.ASCII.GetBytes(text)));

    private static ArchiveRequest Parse(string target) =>
        ArchiveRequest.TryParse(target, out var request, out var error) ? request : throw new ArgumentException($"{target}: {error}");
}
