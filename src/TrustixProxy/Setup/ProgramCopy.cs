using System.Security.Cryptography;

namespace TrustixProxy.Setup;

/// <summary>The program where units see it, as they see no homes and no <c>/tmp</c>. What somebody else has put there is neither written
/// over nor taken away.</summary>
/// <param name="at">The way to a file of the machine.</param>
/// <param name="tell">Told of each thing done.</param>
internal sealed class ProgramCopy(Func<string, string> at, Action<string> tell)
{
    private const string Folder = "/usr/local/lib/trustix-proxy", Link = "/usr/local/bin/trustix-proxy",
        Target = "../lib/trustix-proxy/trustix-proxy", Name = "trustix-proxy", Mark = ".installed";

    private static readonly string[] Places = ["/usr/", "/opt/", "/nix/store/", "/gnu/store/"];

    /// <summary>Where the program is that runs now.</summary>
    private static readonly string Source = AppContext.BaseDirectory;

    /// <summary>Whether <see cref="Put"/> has written another program than was there.</summary>
    public bool HasChanged { get; private set; }

    /// <summary>Where a program of the distribution would stand on the machine: it is used as it is.</summary>
    private bool IsInPlace => Places.Any(place => Source.StartsWith(place, StringComparison.Ordinal))
        && File.Exists(at(Path.Combine(Source, Name)));

    private bool IsOurs => File.Exists(Path.Combine(at(Folder), Mark));

    private bool IsOurLink => new FileInfo(at(Link)).LinkTarget == Target;

    /// <summary>Refuses before anything is written.</summary>
    /// <exception cref="IOException">Somebody else's program is where ours would go.</exception>
    public void Check()
    {
        if (!IsInPlace && Directory.Exists(at(Folder)) && !IsOurs)
        {
            throw new IOException($"{at(Folder)} is there, and trustix-proxy install has not made it: run the program in it, name it by "
                + "--program, or remove it.");
        }
    }

    /// <summary>Copies the program that runs now, unless it is in place.</summary>
    /// <returns>Its path on the machine.</returns>
    public string Put()
    {
        if (IsInPlace)
        {
            return Path.Combine(Source, Name);
        }

        if (AreSame(at(Folder)))
        {
            tell($"unchanged {at(Folder)}");
        }
        else
        {
            Copy();
        }

        PutLink();
        return $"{Folder}/{Name}";
    }

    /// <summary>Takes away what <see cref="Put"/> has made, also what it has left half made.</summary>
    public void Take()
    {
        if (IsOurLink)
        {
            File.Delete(at(Link));
            tell($"removed {at(Link)}");
        }

        foreach (var folder in new[] { at(Folder), $"{at(Folder)}.new", $"{at(Folder)}.old" }.Where(Directory.Exists))
        {
            if (folder == at(Folder) && !IsOurs)
            {
                tell($"left {folder}, which trustix-proxy install has not made");
                continue;
            }

            Directory.Delete(folder, recursive: true);
            tell($"removed {folder}");
        }
    }

    /// <summary>At no moment is a half of it in its place.</summary>
    private void Copy()
    {
        var (target, draft, old) = (at(Folder), $"{at(Folder)}.new", $"{at(Folder)}.old");
        foreach (var leftover in new[] { draft, old }.Where(Directory.Exists))
        {
            Directory.Delete(leftover, recursive: true);
        }

        foreach (var file in FilesOf(Source))
        {
            var copy = Path.Combine(draft, file);
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(Path.Combine(Source, file), copy);
        }

        File.WriteAllText(Path.Combine(draft, Mark), "Copied by trustix-proxy install; trustix-proxy uninstall takes it away.\n");
        if (Directory.Exists(target))
        {
            Directory.Move(target, old);
        }

        Directory.Move(draft, target);
        if (Directory.Exists(old))
        {
            Directory.Delete(old, recursive: true);
        }

        HasChanged = true;
        tell($"copied the program to {target}");
    }

    private void PutLink()
    {
        if (IsOurLink)
        {
            return;
        }

        if (Path.Exists(at(Link)) || new FileInfo(at(Link)).LinkTarget is not null)
        {
            tell($"left {at(Link)}, which trustix-proxy install has not made: shells start that one");
            return;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(at(Link))!);
        File.CreateSymbolicLink(at(Link), Target);
        tell($"wrote {at(Link)}");
    }

    private static bool AreSame(string folder)
    {
        if (!Directory.Exists(folder))
        {
            return false;
        }

        var ours = FilesOf(Source).Order(StringComparer.Ordinal).ToList();
        return FilesOf(folder).Order(StringComparer.Ordinal).SequenceEqual(ours)
            && ours.TrueForAll(file => DigestOf(Path.Combine(folder, file)).SequenceEqual(DigestOf(Path.Combine(Source, file))));
    }

    private static byte[] DigestOf(string file)
    {
        using var stream = File.OpenRead(file);
        return SHA256.HashData(stream);
    }

    private static IEnumerable<string> FilesOf(string folder) => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
        .Select(file => Path.GetRelativePath(folder, file)).Where(file => file is not Mark);
}
