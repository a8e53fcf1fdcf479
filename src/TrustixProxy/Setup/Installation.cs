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
    private const string Configurations = "/etc/trustix-proxy";

    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead,
        Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly List<string> _failures = [];

    /// <summary>Whether this is the machine that runs us, whose systemd can be told.</summary>
    private bool IsLive => root is "/" && Directory.Exists("/run/systemd/system");

    /// <summary>What systemd was asked to do on this machine and did not.</summary>
    public IReadOnlyList<string> Failures => _failures;

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
        var copy = new ProgramCopy(At, tell);
        if (program is null)
        {
            copy.Check();
        }

        foreach (var key in service.Keys)
        {
            PutKey(key);
        }

        var isConfigured = Put($"{Configurations}/{service.Configuration}", File.ReadAllText(configuration));
        var isChanged = Put(UnitOf(service.Unit), SystemdUnit.Of(service, program ?? copy.Put(), program is null ? Runtime() : null))
            || copy.HasChanged || (isConfigured && !service.ReadsAgain);
        foreach (var (path, text) in pages)
        {
            Put(path, text);
        }

        if (!service.IsRoot)
        {
            Put(UsersOf(service.Unit), SystemdUnit.Users(service));
            MakeUser(service);
            MakeFolders(service);
        }

        if (IsLive)
        {
            foreach (var arguments in Starting(service.Unit, starts, isChanged))
            {
                Run("systemctl", arguments);
            }
        }
        else
        {
            tell($"not started, as systemd does not run in {root}: systemctl enable --now {service.Unit}");
        }
    }

    /// <summary>What systemd is told, in turn. A service that runs is started anew if it would not notice by itself what has
    /// changed.</summary>
    internal static IEnumerable<string[]> Starting(string unit, bool starts, bool isChanged) =>
        [["daemon-reload"], .. !starts ? [["enable", unit]]
            : isChanged ? [["enable", unit], ["restart", unit]] : (string[][])[["enable", "--now", unit]]];

    /// <summary>Takes away what <see cref="Install"/> has made, of all services. What a unit of somebody else may use stays.</summary>
    /// <param name="pages">Man page and completions, by path.</param>
    /// <param name="purges">Whether configurations, keys, state and users go, too.</param>
    public void Uninstall(IEnumerable<string> pages, bool purges)
    {
        var foreign = Service.Units.Where(IsForeign).ToList();
        foreach (var unit in Service.Units.Except(foreign))
        {
            if (IsLive && File.Exists(At(UnitOf(unit))))
            {
                Run("systemctl", "disable", "--now", unit);
            }

            Take(UnitOf(unit));
            Take(UsersOf(unit));
        }

        foreach (var path in pages)
        {
            Take(path);
        }

        new ProgramCopy(At, tell).Take();
        if (IsLive)
        {
            Run("systemctl", "daemon-reload");
        }

        if (purges)
        {
            Purge(foreign);
        }
        else
        {
            SetAside(foreign);
        }
    }

    /// <summary>Deletes configurations, keys, state and users.</summary>
    private void Purge(List<string> foreign)
    {
        if (foreign.Count is 0)
        {
            TakeFolder(Configurations);
        }

        foreach (var file in Directory.Exists(At(Configurations)) ? Directory.GetFiles(At(Configurations)) : [])
        {
            if (foreign.Exists(unit => Service.IsOf(unit, Path.GetFileName(file))))
            {
                tell($"kept {file}");
            }
            else
            {
                Take($"{Configurations}/{Path.GetFileName(file)}");
            }
        }

        if (Directory.Exists(At(Configurations)) && !Directory.EnumerateFileSystemEntries(At(Configurations)).Any())
        {
            TakeFolder(Configurations);
        }

        foreach (var unit in Service.Units.Except(foreign))
        {
            TakeFolder($"/var/lib/{unit}");
            TakeFolder($"/var/cache/{unit}");
            TakeUser(unit);
        }
    }

    /// <summary>The way to a file of the machine.</summary>
    public string At(string path) => Path.Combine(root, path.TrimStart('/'));

    /// <summary>A configuration that is set aside runs nothing, and can be had back; keys and state stay where they are.</summary>
    private void SetAside(List<string> foreign)
    {
        foreach (var file in Service.Units.Except(foreign).Select(unit => At($"{Configurations}/{Service.ConfigurationOf(unit)}"))
            .Where(File.Exists))
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

    /// <summary>Whether a unit is there that somebody else wrote.</summary>
    private bool IsForeign(string unit)
    {
        var file = At(UnitOf(unit));
        var isForeign = File.Exists(file) && File.ReadLines(file).FirstOrDefault() != SystemdUnit.Mark;
        if (isForeign)
        {
            tell($"left {file}, which trustix-proxy install did not write");
        }

        return isForeign;
    }

    /// <summary>Writes a file if it is not there as it should be.</summary>
    /// <returns>Whether it was written.</returns>
    private bool Put(string path, string text)
    {
        var file = At(path);
        if (File.Exists(file) && File.ReadAllText(file) == text)
        {
            tell($"unchanged {file}");
            return false;
        }

        Write(file, text, Readable);
        tell($"wrote {file}");
        return true;
    }

    private void PutKey(ServiceKey key)
    {
        var file = At($"{Configurations}/{key.Name}");
        if (!File.Exists(key.Source) && !File.Exists(file))
        {
            KeyFile.Write(file, NixSecretKey.Generate($"{HostName.Own}-trustix-1"));
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

    /// <summary>Makes the folders that the configuration names, for the service's user.</summary>
    private void MakeFolders(Service service)
    {
        foreach (var folder in service.Folders.Where(folder => !Directory.Exists(At(folder))))
        {
            if (IsLive)
            {
                Run("install", "--directory", $"--owner={service.Unit}", $"--group={service.Unit}", "--mode=0700", folder);
            }
            else
            {
                tell($"make {folder} before it starts: install -d -o {service.Unit} -g {service.Unit} -m 700 {folder}");
            }
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
        if (process.ExitCode is not 0 && IsLive)
        {
            _failures.Add(line);
        }
    }
}
