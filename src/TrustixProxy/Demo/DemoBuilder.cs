using System.Security.Cryptography;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;

namespace TrustixProxy.Demo;

/// <summary>Something that was built: what is said of it, and where its NAR is.</summary>
internal sealed record DemoOutput(BuildStatement Statement, string NarFile);

/// <summary>Stands in for a build: packs files of this machine into NARs, under store paths that are made up.</summary>
internal sealed class DemoBuilder(string directory)
{
    /// <summary>Packs this program's own libraries, or another content under the same store path when
    /// <paramref name="isForged"/>.</summary>
    public DemoOutput Build(string name, bool isForged, params StorePath[] references)
    {
        var file = Path.Combine(directory, $"{name}{(isForged ? "-forged" : "")}.nar");
        using (var stream = File.Create(file))
        {
            Pack(new NarWriter(stream), name, isForged, references);
        }

        using var nar = File.OpenRead(file);
        return new DemoOutput(new BuildStatement(PathOf(name), NixHash.Sha256(SHA256.HashData(nar)), nar.Length, references), file);
    }

    private static void Pack(NarWriter nar, string output, bool isForged, StorePath[] references)
    {
        var about = $"{output}, {(isForged ? "with something added" : "as it was built here")}\n"
            + string.Concat(references.Select(path => $"{path.Absolute}\n"));
        nar.Directory();
        Entry("about", () => nar.File(System.Text.Encoding.UTF8.GetBytes(about)));
        foreach (var library in Directory.GetFiles(AppContext.BaseDirectory, "TrustixProxy.*.dll").Order(StringComparer.Ordinal))
        {
            Entry(Path.GetFileName(library).ToLowerInvariant(), () => nar.File(File.ReadAllBytes(library)));
        }

        nar.EndDirectory();

        void Entry(string name, Action node)
        {
            nar.Entry(name);
            node();
            nar.EndEntry();
        }
    }

    private static StorePath PathOf(string name)
    {
        var digest = Nix32.Encode(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes($"trustix-proxy demo {name}")).AsSpan(0, 20));
        return StorePath.TryParse($"{digest}-{name}", out var path, out _) ? path
            : throw new ArgumentException($"'{name}' makes no store path.", nameof(name));
    }
}
