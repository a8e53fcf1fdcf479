using System.Text;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>The directory of jobs from post-build hooks, locked by the one process that publishes them.</summary>
/// <remarks>A job consists of <c>ID.job</c> (see <see cref="SpoolJob"/>), <c>ID.info</c> (the <c>nix path-info --json</c> output, once
/// available) and <c>ID.root-DIGEST</c> (garbage collection roots until then). Each file is written under another name and then renamed, so
/// visible files are complete.</remarks>
public sealed class Spool : IDisposable
{
    /// <summary>Default of <c>TRUSTIX_SPOOL_MAX</c>: the maximum number of jobs that hooks leave waiting.</summary>
    public const int MaxJobs = 10_000;

    /// <summary>Default directory of hooks and publishers.</summary>
    public const string DefaultDirectory = "/var/spool/trustix";

    private const string JobSuffix = ".job";
    private const string InfoSuffix = ".info";
    private const int MaxRejected = 1000;
    private const int MaxJobBytes = 1 << 20;
    private const int MaxInfoBytes = 16 << 20;

    private static readonly TimeSpan OrphanAge = TimeSpan.FromHours(1);

    private readonly string _directory;
    private readonly IDisposable _lock;

    private Spool(string directory, IDisposable held) => (_directory, _lock) = (directory, held);

    /// <summary>Locks a spool; creates the directory (0700) if missing.</summary>
    /// <exception cref="IOException">The directory cannot be created, or another process has locked it.</exception>
    /// <exception cref="UnauthorizedAccessException">The directory is not writable.</exception>
    public static Spool Open(string directory)
    {
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        try
        {
            return new Spool(directory, DirectoryLock.Take(directory));
        }
        catch (IOException exception) when (exception.InnerException is not null)
        {
            throw new IOException($"spoolDirectory is '{directory}', which another trustix-proxy publish uses: stop it, or set "
                + $"another directory.", exception);
        }
    }

    /// <summary>Queues outputs that are described already, durably. Repeating it with the same id adds nothing.</summary>
    /// <param name="directory">The spool; created (0700) if missing.</param>
    /// <param name="id">Unique per build: letters, digits and dashes, ending in the derivation's digest.</param>
    /// <param name="outputs">What the build gave.</param>
    /// <exception cref="IOException">The directory cannot be written to, or is full.</exception>
    /// <exception cref="UnauthorizedAccessException">The directory is not writable.</exception>
    public static void Queue(string directory, string id, StorePath derivation, IReadOnlyList<DescribedOutput> outputs)
    {
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var job = new SpoolJob(id, default, derivation, [.. outputs.Select(output => output.Statement.Path)]);
        if (!File.Exists(Path.Combine(directory, id + JobSuffix))
            && Directory.EnumerateFiles(directory, $"*{JobSuffix}").Count() >= MaxJobs)
        {
            throw new IOException($"{directory} is full; is trustix-proxy publish running?");
        }

        Write(Path.Combine(directory, job.Id + InfoSuffix), TextOf(outputs), isDurable: true);
        Write(Path.Combine(directory, job.Id + JobSuffix), job.ToString(), isDurable: true);
    }

    /// <summary>Adds a job; its description must be written before.</summary>
    /// <exception cref="IOException">The directory cannot be written to.</exception>
    internal static void Write(string directory, SpoolJob job) => Write(Path.Combine(directory, job.Id + JobSuffix), job.ToString());

    /// <summary>Stores the description of a job's outputs, as <c>nix path-info --json</c> would print it.</summary>
    /// <exception cref="IOException">The directory cannot be written to.</exception>
    internal static void Describe(string directory, SpoolJob job, IEnumerable<DescribedOutput> outputs) =>
        Write(Path.Combine(directory, job.Id + InfoSuffix), TextOf(outputs));

    /// <inheritdoc cref="Describe(string, SpoolJob, IEnumerable{DescribedOutput})"/>
    internal void Describe(SpoolJob job, IEnumerable<DescribedOutput> outputs) => Describe(_directory, job, outputs);

    /// <summary>Lists the ids of waiting jobs, oldest first.</summary>
    internal IReadOnlyList<string> Jobs() =>
        [.. JobFiles().Select(file => (Id: file.Name[..^JobSuffix.Length], At: file.LastWriteTimeUtc)).OrderBy(file => file.At)
            .ThenBy(file => file.Id, StringComparer.Ordinal).Select(file => file.Id)];

    /// <summary>Time at which the oldest waiting job was written; null when none waits.</summary>
    internal DateTimeOffset? OldestJob() => JobFiles().Min(file => (DateTimeOffset?)file.LastWriteTimeUtc);

    /// <summary>Reads a job; false, with the reason, when the file is invalid or unreadable.</summary>
    internal bool TryRead(string id, [NotNullWhen(true)] out SpoolJob? job, out string error)
    {
        job = null;
        try
        {
            var file = new FileInfo(PathOf(id, JobSuffix));
            return SpoolJob.TryParse(id, file.LastWriteTimeUtc, ReadText(file, MaxJobBytes), out job, out error);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            error = $"cannot be read: {exception.Message}";
            return false;
        }
    }

    /// <summary>Reads Nix's description of a job's outputs from right after the build. False when it is missing or not
    /// understood.</summary>
    internal bool TryReadDescription(SpoolJob job, out IReadOnlyList<DescribedOutput> outputs)
    {
        outputs = [];
        try
        {
            var file = new FileInfo(PathOf(job.Id, InfoSuffix));
            return file.Exists && PathInfo.TryParse(ReadText(file, MaxInfoBytes), out outputs, out _, job.Derivation.Store);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Removes jobs, which are then not published again, and releases their outputs to garbage collection.</summary>
    /// <exception cref="IOException">The directory cannot be written to.</exception>
    internal void Remove(IReadOnlyCollection<string> ids)
    {
        foreach (var id in ids)
        {
            File.Delete(PathOf(id, JobSuffix)); // first: without it, the remaining files belong to no job
        }

        var gone = ids.ToHashSet();
        foreach (var file in Files().Where(file => gone.Contains(IdOf(file))))
        {
            File.Delete(file);
        }
    }

    /// <summary>Moves an invalid job into <c>rejected/</c>, together with the reason; deletes it when that holds a thousand.</summary>
    /// <exception cref="IOException">The directory cannot be written to.</exception>
    internal void Reject(string id, string reason)
    {
        if (!File.Exists(PathOf(id, JobSuffix)))
        {
            return;
        }

        var rejected = Directory.CreateDirectory(
            Path.Combine(_directory, "rejected"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        if (rejected.EnumerateFiles($"*{JobSuffix}").Count() < MaxRejected)
        {
            File.WriteAllText(Path.Combine(rejected.FullName, $"{id}.reason"), reason + "\n");
            File.Move(PathOf(id, JobSuffix), Path.Combine(rejected.FullName, id + JobSuffix), overwrite: true);
        }

        Remove([id]);
    }

    /// <summary>Removes files that interrupted hooks left more than an hour ago.</summary>
    internal void Sweep(DateTimeOffset now)
    {
        var jobs = Jobs().ToHashSet();
        foreach (var file in Files().Where(file => !jobs.Contains(IdOf(file)) && now - File.GetLastWriteTimeUtc(file) > OrphanAge))
        {
            File.Delete(file);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _lock.Dispose();

    private static string TextOf(IEnumerable<DescribedOutput> outputs) =>
        $"[{string.Join(',', outputs.Select(output => output.ToJson()))}]";

    /// <param name="isDurable">Whether to flush the file to the disk before it is seen.</param>
    private static void Write(string path, string text, bool isDurable = false)
    {
        var temporary = Path.ChangeExtension(path, $".{Environment.ProcessId}");
        try
        {
            using (var file = new FileStream(temporary, new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite
            }))
            {
                file.Write(Encoding.ASCII.GetBytes(text));
                file.Flush(isDurable);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch (IOException)
        {
            File.Delete(temporary);
            throw;
        }
    }

    private static string ReadText(FileInfo file, int limit) =>
        file.Length <= limit ? File.ReadAllText(file.FullName)
            : throw new IOException($"it has {file.Length} bytes; at most {limit} are read");

    private IEnumerable<FileInfo> JobFiles() => new DirectoryInfo(_directory).EnumerateFiles($"*{JobSuffix}");

    /// <summary>Lists all files of jobs. A link to a store path that is a directory counts as one.</summary>
    private IEnumerable<string> Files() =>
        Directory.EnumerateFileSystemEntries(_directory).Where(path => Path.GetFileName(path).Contains('.'));

    private static string IdOf(string path) => Path.GetFileName(path).Split('.')[0];

    private string PathOf(string id, string suffix) => Path.Combine(_directory, id + suffix);
}
