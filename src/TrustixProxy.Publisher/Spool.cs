using System.Text;
using TrustixProxy.IO.Storage;

namespace TrustixProxy.Publisher;

/// <summary>The directory where post-build hooks leave their jobs, held by the one process that publishes them.</summary>
/// <remarks>
/// A job is the files <c>ID.job</c> (see <see cref="SpoolJob"/>), <c>ID.info</c> (what <c>nix path-info --json</c> printed of its outputs,
/// when it did) and
/// <c>ID.root-DIGEST</c> (links that Nix's garbage collection heeds until then). Each is written under another name first and renamed, so
/// that what is there is whole.
/// </remarks>
public sealed class Spool : IDisposable
{
    /// <summary>The most jobs that a hook lets pile up, unless <c>TRUSTIX_SPOOL_MAX</c> says otherwise.</summary>
    public const int MaxJobs = 10_000;

    /// <summary>Where hooks and publishers look unless they are told.</summary>
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

    /// <summary>Takes a spool, and makes the directory (0700) when it is not there.</summary>
    /// <exception cref="IOException">It cannot be made, or another process has it.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written to.</exception>
    public static Spool Open(string directory)
    {
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        try
        {
            return new Spool(directory, DirectoryLock.Take(directory));
        }
        catch (IOException exception) when (exception.InnerException is not null)
        {
            throw new IOException($"spoolDirectory is '{directory}', from which another trustix-proxy publish is publishing: stop that "
                + $"one, or name another directory.", exception);
        }
    }

    /// <summary>Adds a job. What describes it has to be there before.</summary>
    /// <exception cref="IOException">The directory cannot be written to.</exception>
    internal static void Write(string directory, SpoolJob job) => Write(Path.Combine(directory, job.Id + JobSuffix), job.ToString());

    /// <summary>Keeps what is known of a job's outputs, as <c>nix path-info --json</c> would print it.</summary>
    /// <exception cref="IOException">The directory cannot be written to.</exception>
    internal static void Describe(string directory, SpoolJob job, IEnumerable<DescribedOutput> outputs) =>
        Write(Path.Combine(directory, job.Id + InfoSuffix), $"[{string.Join(',', outputs.Select(output => output.ToJson()))}]");

    /// <inheritdoc cref="Describe(string, SpoolJob, IEnumerable{DescribedOutput})"/>
    internal void Describe(SpoolJob job, IEnumerable<DescribedOutput> outputs) => Describe(_directory, job, outputs);

    /// <summary>The ids of the jobs that are there, oldest first.</summary>
    internal IReadOnlyList<string> Jobs() =>
        [.. JobFiles().Select(file => (Id: file.Name[..^JobSuffix.Length], At: file.LastWriteTimeUtc)).OrderBy(file => file.At)
            .ThenBy(file => file.Id, StringComparer.Ordinal).Select(file => file.Id)];

    /// <summary>When the job was written that has waited longest; null when none waits.</summary>
    internal DateTimeOffset? OldestJob() => JobFiles().Min(file => (DateTimeOffset?)file.LastWriteTimeUtc);

    /// <summary>Reads a job. False, with what is wrong, when it is none or cannot be read.</summary>
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

    /// <summary>What Nix said of a job's outputs when they had been built. False when it has not yet, or what is there cannot be
    /// understood.</summary>
    internal bool TryReadDescription(SpoolJob job, out IReadOnlyList<DescribedOutput> outputs)
    {
        outputs = [];
        try
        {
            var file = new FileInfo(PathOf(job.Id, InfoSuffix));
            return file.Exists && PathInfo.TryParse(ReadText(file, MaxInfoBytes), out outputs, out _);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Removes jobs, which then are not published again, and lets garbage collection have their outputs.</summary>
    /// <exception cref="IOException">The directory cannot be written to.</exception>
    internal void Remove(IReadOnlyCollection<string> ids)
    {
        foreach (var id in ids)
        {
            File.Delete(PathOf(id, JobSuffix)); // first: what may be left of it then is nobody's
        }

        var gone = ids.ToHashSet();
        foreach (var file in Files().Where(file => gone.Contains(IdOf(file))))
        {
            File.Delete(file);
        }
    }

    /// <summary>Puts a job that is none out of the way, into <c>rejected/</c> with the reason beside it; only removes it when a thousand
    /// are there already.</summary>
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

    /// <summary>Removes what hooks that were cut short have left behind an hour ago.</summary>
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

    private static void Write(string path, string text)
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

    /// <summary>All files of jobs. A link to a store path that is a directory counts as one.</summary>
    private IEnumerable<string> Files() =>
        Directory.EnumerateFileSystemEntries(_directory).Where(path => Path.GetFileName(path).Contains('.'));

    private static string IdOf(string path) => Path.GetFileName(path).Split('.')[0];

    private string PathOf(string id, string suffix) => Path.Combine(_directory, id + suffix);
}
