using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;

namespace TrustixProxy.Apt.RealClients;

/// <summary>An archive as Debian's are: a pool, an index in three forms, by name and by hash, and a signed InRelease file.</summary>
/// <remarks>Packages are made by dpkg-deb, their index by apt-ftparchive, and the signature by gpg, all of the folder.</remarks>
internal sealed class ArchiveFolder
{
    private readonly string _lab;

    private ArchiveFolder(string lab, string machine, IReadOnlyList<TestPackage> packages) =>
        (_lab, Machine, Packages) = (lab, machine, packages);

    /// <summary>The architecture of this machine, as Debian calls it.</summary>
    public string Machine { get; }

    public IReadOnlyList<TestPackage> Packages { get; }

    /// <summary>Where its files are.</summary>
    public string Path => System.IO.Path.Combine(_lab, "archive");

    /// <summary>The key that its InRelease is signed with.</summary>
    public string Key => System.IO.Path.Combine(_lab, "archive.gpg");

    private string Indexes => System.IO.Path.Combine(Path, $"dists/sid/main/binary-{Machine}");

    public static async Task<ArchiveFolder> MakeAsync(string lab, IReadOnlyList<TestPackage> packages, string otherStanzas = "")
    {
        var machine = (await AptFolder.RunAsync(lab, "dpkg", "--print-architecture")).OrThrow().Output.Trim();
        var archive = new ArchiveFolder(lab, machine, packages);
        var script = new StringBuilder("set -e\n");
        foreach (var (package, i) in packages.Select((package, i) => (package, i)))
        {
            var (tree, file) = (System.IO.Path.Combine(lab, $"trees/{i}"), System.IO.Path.Combine(archive.Path, package.PathFor(machine)));
            package.WriteTree(tree, machine);
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(file)!);
            script.AppendLine(CultureInfo.InvariantCulture, $"dpkg-deb --root-owner-group -Zxz -z0 --build {tree} {file} >/dev/null");
        }

        Directory.CreateDirectory(archive.Indexes);
        File.WriteAllText(System.IO.Path.Combine(lab, "others"), otherStanzas);
        script.AppendLine(CultureInfo.InvariantCulture, $"""
            cd {archive.Path}
            apt-ftparchive packages pool | cat - {lab}/others >{archive.Indexes}/Packages
            xz --keep -1 {archive.Indexes}/Packages
            mkdir --mode 700 {lab}/gnupg
            export GNUPGHOME={lab}/gnupg
            gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-gen-key archive@example ed25519 sign never
            gpg --batch --output {archive.Key} --export
            """);
        (await AptFolder.RunAsync(lab, "sh", "-c", script.ToString())).OrThrow();
        await using (var from = File.OpenRead($"{archive.Indexes}/Packages"))
        await using (var to = new GZipStream(File.Create($"{archive.Indexes}/Packages.gz"), CompressionLevel.Fastest))
        {
            await from.CopyToAsync(to);
        }

        await archive.SignAsync();
        return archive;
    }

    /// <summary>The file name and the SHA-256 of a package's .deb.</summary>
    public (string FileName, string Sha256) Of(TestPackage package) =>
        (package.FileNameFor(Machine), Hash(System.IO.Path.Combine(Path, package.PathFor(Machine))));

    /// <summary>How long a package's .deb is.</summary>
    public long SizeOf(TestPackage package) => new FileInfo(System.IO.Path.Combine(Path, package.PathFor(Machine))).Length;

    /// <summary>Names the indexes by their hashes, and writes and signs the InRelease file.</summary>
    private async Task SignAsync()
    {
        var byHash = Directory.CreateDirectory(System.IO.Path.Combine(Indexes, "by-hash/SHA256")).FullName;
        var lines = new StringBuilder();
        foreach (var file in Directory.GetFiles(Indexes))
        {
            File.Copy(file, System.IO.Path.Combine(byHash, Hash(file)));
            var name = System.IO.Path.GetRelativePath(System.IO.Path.Combine(Path, "dists/sid"), file);
            lines.Append(CultureInfo.InvariantCulture, $" {Hash(file)} {new FileInfo(file).Length} {name}\n");
        }

        var release = System.IO.Path.Combine(_lab, "Release");
        await File.WriteAllTextAsync(release, $"""
            Origin: Tests
            Label: Tests
            Suite: sid
            Codename: sid
            Date: {DateTime.UtcNow.ToString("ddd, dd MMM yyyy HH:mm:ss", CultureInfo.InvariantCulture)} UTC
            Acquire-By-Hash: yes
            Architectures: {Machine}
            Components: main
            SHA256:
            {lines}
            """);
        (await AptFolder.RunAsync(_lab, "gpg", "--homedir", $"{_lab}/gnupg", "--batch", "--yes", "--digest-algo", "SHA512",
            "--output", $"{Path}/dists/sid/InRelease", "--clearsign", release)).OrThrow();
    }

    private static string Hash(string file) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)));
}
