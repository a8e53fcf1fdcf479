using System.Text;

namespace TrustixProxy.Apt.RealClients;

/// <summary>A binary package of the tests' archive.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Version">Its whole version.</param>
internal sealed record TestPackage(string Name, string Version)
{
    /// <summary>How many bytes that do not compress it installs.</summary>
    public int Size { get; init; } = 30_000;

    /// <summary>The packages that it needs, separated by commas.</summary>
    public string Depends { get; init; } = "";

    /// <summary>Its architecture; null for the machine's.</summary>
    public string? Architecture { get; init; }

    /// <summary>The file that it installs, below the root.</summary>
    public string Installs => $"usr/share/{Name}/content";

    /// <summary>The base name of its .deb: the version without its epoch.</summary>
    public string FileNameFor(string machine) =>
        $"{Name}_{Version[(Version.IndexOf(':', StringComparison.Ordinal) + 1)..]}_{Architecture ?? machine}.deb";

    /// <summary>Where the archive has its .deb.</summary>
    public string PathFor(string machine) => $"pool/main/{Name[0]}/{Name}/{FileNameFor(machine)}";

    /// <summary>Writes the tree that dpkg-deb packs.</summary>
    public void WriteTree(string folder, string machine)
    {
        var content = Path.Combine(folder, Installs);
        Directory.CreateDirectory(Path.GetDirectoryName(content)!);
        var bytes = new byte[Size];
#pragma warning disable CA5394 // the same bytes in each run
        new Random(Encoding.UTF8.GetBytes(Name).Sum(letter => letter)).NextBytes(bytes);
#pragma warning restore CA5394
        File.WriteAllBytes(content, bytes);
        Directory.CreateDirectory(Path.Combine(folder, "DEBIAN"));
        File.WriteAllText(Path.Combine(folder, "DEBIAN/control"), $"""
            Package: {Name}
            Version: {Version}
            Architecture: {Architecture ?? machine}
            Maintainer: Tests <tests@example>
            {(Depends.Length is 0 ? "Section: misc" : $"Depends: {Depends}")}
            Description: a package of the tests
             It installs one file, and has two lines
             .
             and an empty one.

            """);
    }
}
