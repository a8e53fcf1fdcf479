using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TrustixProxy.Configuration;
using TrustixProxy.IO.Programs;
using TrustixProxy.Nix;

namespace TrustixProxy.Setup;

/// <summary>A service on a Linux with systemd: unit, user, configuration, keys, program and pages. Done twice, it changes
/// nothing.</summary>
/// <param name="root">Where the machine's file system begins: <c>/</c>, or a folder that becomes a machine.</param>
/// <param name="tell">Told of each thing done.</param>
internal sealed class Installation(string root, Action<string> tell)
{
    private const string Configurations = "/etc/trustix-proxy", Program = "/usr/local/lib/trustix-proxy",
        Link = "/usr/local/bin/trustix-proxy";

    private static readonly string[] Places = ["/usr/", "/opt/", "/nix/store/", "/gnu/store/"],
        Names = ["trustix-proxy.json", "trustix-log.json", "trustix-publish.json"];

    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead,
        Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Whether this is the machine that runs us, whose systemd can be told.</summary>
    private bool IsLive => root is "/" && Directory.Exists("/run/systemd/system");

    /// <summary>Where a program of the distribution would stand: it is used as it is. Elsewhere it is copied, as units see no homes and no
    /// <c>/tmp</c>.</summary>
    private static bool IsInPlace(string folder) => Places.Any(place => folder.StartsWith(place, StringComparison.Ordinal));

    /// <summary>Makes the service.</summary>
    /// <param name="service">What it is.</param>
    /// <param name="configuration">Its configuration's file.</param>
    /// <param name="program">The program that the unit runs; null for the one that runs now.</param>
    /// <param name="pages">Man page and completions, by path.</param>
    /// <param name="starts">Whether systemd is told to start it.</param>
    /// <exception cref="IOException">A file cannot be written, or a key would be written over.</exception>
    /// <exception cref="UnauthorizedAccessException">The same, for want of privileges.</exception>
    public void Install(
        Service service, string configuration, string? program, IEnumerable<(string Path, string Text)> pages, bool starts)
    {
        foreach (var key in service.Keys)
        {
            PutKey(key);
        }

        Put($"{Configurations}/{service.Configuration}", File.ReadAllText(configuration));
        Put(UnitOf(service.Unit), SystemdUnit.Of(service, program ?? PutProgram(), program is null ? Runtime() : null));
        foreach (var (path, text) in pages)
        {
            Put(path, text);
        }

        if (!service.IsRoot)
        {
            Put(UsersOf(service.Unit), SystemdUnit.Users(service));
            MakeUser(service);
        }

        if (IsLive)
        {
            Run("systemctl", "daemon-reload");
            Run("systemctl", ["enable", .. starts ? ["--now"] : Array.Empty<string>(), service.Unit]);
        }
        else
        {
            tell($"not started, as systemd does not run in {root}: systemctl enable --now {service.Unit}");
        }
    }

    /// <summary>Takes away what <see cref="Install"/> has made, of all services.</summary>
    /// <param name="pages">Man page and completions, by path.</param>
    /// <param name="purges">Whether configurations, keys, state and users go, too.</param>
    public void Uninstall(IEnumerable<string> pages, bool purges)
    {
        foreach (var unit in Service.Units.Where(IsOurs))
        {
            if (IsLive)
            {
                Run("systemctl", "disable", "--now", unit);
            }

            Take(UnitOf(unit));
            Take(UsersOf(unit));
        }

        foreach (var path in pages.Append(Link))
        {
            Take(path);
        }

        TakeFolder(Program);
        if (IsLive)
        {
            Run("systemctl", "daemon-reload");
        }

        if (purges)
        {
            TakeFolder(Configurations);
            foreach (var unit in Service.Units)
            {
                TakeFolder($"/var/lib/{unit}");
                TakeFolder($"/var/cache/{unit}");
                TakeUser(unit);
            }
        }
        else
        {
            SetAside();
        }
    }

    /// <summary>The way to a file of the machine.</summary>
    public string At(string path) => Path.Combine(root, path.TrimStart('/'));

    /// <summary>A configuration that is set aside runs nothing, and can be had back; keys and state stay where they are.</summary>
    private void SetAside()
    {
        foreach (var file in Names.Select(name => At($"{Configurations}/{name}")).Where(File.Exists))
        {
            File.Move(file, $"{file}.saved", overwrite: true);
            tell($"set aside {file}.saved");
        }

        foreach (var kept in Service.Units.Select(unit => $"/var/lib/{unit}").Prepend(Configurations).Select(At)
            .Where(folder => Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any()))
        {
            tell($"kept {kept}: keys and state, and the user that owns them; --purge deletes them");
        }
    }

    private static string UnitOf(string unit) => $"/etc/systemd/system/{unit}.service";

    private static string UsersOf(string unit) => $"/etc/sysusers.d/{unit}.conf";

    private bool IsOurs(string unit)
    {
        var file = At(UnitOf(unit));
        if (!File.Exists(file))
        {
            return false;
        }

        var isOurs = File.ReadLines(file).FirstOrDefault() == SystemdUnit.Mark;
        if (!isOurs)
        {
            tell($"left {file}, which trustix-proxy install did not write");
        }

        return isOurs;
    }

    /// <summary>Writes a file if it is not there as it should be.</summary>
    private void Put(string path, string text)
    {
        var file = At(path);
        if (File.Exists(file) && File.ReadAllText(file) == text)
        {
            tell($"unchanged {file}");
            return;
        }

        Write(file, text, Readable);
        tell($"wrote {file}");
    }

    private void PutKey(ServiceKey key)
    {
        var file = At($"{Configurations}/{key.Name}");
        if (!File.Exists(key.Source) && !File.Exists(file))
        {
            KeyFile.Write(file, NixSecretKey.Generate($"{Environment.MachineName.ToLowerInvariant()}-trustix-1"));
            tell($"made the key {file}");
            return;
        }

        var text = File.ReadAllText(File.Exists(key.Source) ? key.Source : file);
        if (File.Exists(file) && File.ReadAllText(file) != text)
        {
            throw new IOException($"{file} already holds another key than {key.Source}: remove one of them. Clients trust the key that "
                + "they were given.");
        }

        if (!File.Exists(file))
        {
            Write(file, text, Private);
            tell($"wrote {file}");
        }
    }

    private static void Write(string file, string text, UnixFileMode mode)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        var draft = $"{file}.new";
        File.Delete(draft);
        using (var stream = new FileStream(draft, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = Private,
        }))
        using (var writer = new StreamWriter(stream))
        {
            writer.Write(text);
        }

        File.SetUnixFileMode(draft, mode);
        File.Move(draft, file, overwrite: true);
    }

    /// <summary>Puts the program where units see it.</summary>
    /// <returns>Its path on the machine.</returns>
    private string PutProgram()
    {
        var folder = AppContext.BaseDirectory;
        if (IsInPlace(folder))
        {
            return Path.Combine(folder, "trustix-proxy");
        }

        var (target, draft) = (At(Program), At($"{Program}.new"));
        if (Directory.Exists(draft))
        {
            Directory.Delete(draft, recursive: true);
        }

        foreach (var file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(draft, Path.GetRelativePath(folder, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        if (Directory.Exists(target))
        {
            Directory.Delete(target, recursive: true);
        }

        Directory.Move(draft, target);
        Directory.CreateDirectory(Path.GetDirectoryName(At(Link))!);
        File.Delete(At(Link));
        File.CreateSymbolicLink(At(Link), "../lib/trustix-proxy/trustix-proxy");
        tell($"copied the program to {target}");
        return $"{Program}/trustix-proxy";
    }

    /// <summary>Where .NET is, for a program that is not machine code.</summary>
    private static string? Runtime() => !RuntimeFeature.IsDynamicCodeSupported ? null
        : Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../../..")).TrimEnd('/');

    private void MakeUser(Service service)
    {
        string[] where = root is "/" ? [] : [$"--root={root}"];
        if (Has("systemd-sysusers"))
        {
            Run("systemd-sysusers", [.. where, $"{service.Unit}.conf"]);
        }
        else if (Has("useradd"))
        {
            string[] chroot = root is "/" ? [] : ["--root", root];
            Run("useradd", [.. chroot, "--system", "--user-group", "--home-dir", service.State, "--shell", "/usr/sbin/nologin",
                service.Unit]);
        }
        else
        {
            tell($"make the user {service.Unit}: neither systemd-sysusers nor useradd is here");
        }
    }

    private void TakeUser(string user)
    {
        var file = At("/etc/passwd");
        if (File.Exists(file) && File.ReadLines(file).Any(line => line.StartsWith($"{user}:", StringComparison.Ordinal)))
        {
            string[] chroot = root is "/" ? [] : ["--root", root];
            Run("userdel", [.. chroot, user]);
        }
    }

    private void Take(string path)
    {
        var file = At(path);
        if (Path.Exists(file) || new FileInfo(file).LinkTarget is not null)
        {
            File.Delete(file);
            tell($"removed {file}");
        }
    }

    private void TakeFolder(string path)
    {
        var folder = At(path);
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
            tell($"removed {folder}");
        }
    }

    private static bool Has(string program) => ProgramStart.Find(program, Environment.GetEnvironmentVariable("PATH")) is not null;

    private void Run(string program, params string[] arguments)
    {
        var line = $"{program} {string.Join(' ', arguments)}";
        using var process = ProgramStart.TryStart(program, arguments, isErrorPiped: true);
        if (process is null)
        {
            tell($"not run, as it is not here: {line}");
            return;
        }

        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEnd().Trim();
        process.WaitForExit();
        tell(process.ExitCode is 0 ? $"ran {line}" : $"FAILED {line}: {error} {output.Result.Trim()}".TrimEnd());
    }
}
