using System.Collections.Concurrent;
using System.Text.Json;
using TrustixProxy.IO.Storage;

namespace TrustixProxy.Rebuilder.Records;

/// <summary>All records, in memory and as a JSON file each; locked for one process.</summary>
/// <remarks>After a crash each record is the old one or the new one.</remarks>
public sealed class RecordFolder : IDisposable
{
    private readonly string _folder;
    private readonly IDisposable _lock;
    private readonly ConcurrentDictionary<string, BuildRecord> _records = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, BuildRecord> _byOutput = new(StringComparer.Ordinal);

    private RecordFolder(string folder, IDisposable held) => (_folder, _lock) = (folder, held);

    /// <summary>Opens a folder, created (0700) if missing, and reads it.</summary>
    /// <exception cref="IOException">It cannot be used, or another process uses it.</exception>
    /// <exception cref="UnauthorizedAccessException">It is not writable.</exception>
    public static RecordFolder Open(string folder)
    {
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var opened = new RecordFolder(folder, Take(folder));
        foreach (var record in Read(folder))
        {
            opened.Keep(record);
        }

        return opened;
    }

    /// <summary>Reads the records of a folder that another process may be using; unreadable ones are left out.</summary>
    public static IReadOnlyList<BuildRecord> Read(string folder) =>
        !Directory.Exists(folder) ? [] : [.. Directory.EnumerateFiles(folder, "*.json").Order(StringComparer.Ordinal).Select(ReadFile)
            .OfType<BuildRecord>().OrderBy(record => record.StartedAt)];

    /// <summary>The folder of the records in a rebuilder's store.</summary>
    public static string In(string store) => Path.Combine(store, "rebuilds");

    /// <summary>All records, by the time of their last attempt.</summary>
    public IReadOnlyList<BuildRecord> All() => [.. _records.Values.OrderBy(record => record.StartedAt)];

    /// <summary>Finds the record that answers for a path; null when there is none.</summary>
    /// <param name="path">The absolute path.</param>
    public BuildRecord? Find(string path) =>
        _records.GetValueOrDefault(path) ?? _byOutput.GetValueOrDefault(path);

    /// <summary>Writes a record durably.</summary>
    /// <exception cref="IOException">The folder cannot be written to.</exception>
    public void Write(BuildRecord record)
    {
        WholeFile.Replace(FileOf(record), stream => JsonSerializer.Serialize(stream, record, RecordJson.Default.BuildRecord),
            UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Keep(record);
    }

    /// <summary>Removes the oldest records of paths for which no derivation was found, beyond a number: lists can name such paths without
    /// end.</summary>
    /// <exception cref="IOException">The folder cannot be written to.</exception>
    public void Prune(int most)
    {
        foreach (var record in All().Where(record => record is { State: BuildState.Failed, Derivation: null }).SkipLast(most))
        {
            File.Delete(FileOf(record));
            _records.TryRemove(record.Path, out _);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _lock.Dispose();

    private void Keep(BuildRecord record)
    {
        _records[record.Path] = record;
        foreach (var output in record.Outputs)
        {
            _byOutput[output.Path] = record;
        }
    }

    private string FileOf(BuildRecord record) => Path.Combine(_folder, $"{Path.GetFileName(record.Path)}.json");

    private static IDisposable Take(string folder)
    {
        try
        {
            return DirectoryLock.Take(folder);
        }
        catch (IOException exception) when (exception.InnerException is not null)
        {
            throw new IOException(
                $"rebuilder.store has '{folder}', which another trustix-proxy rebuild uses: stop it, or set another store.", exception);
        }
    }

    private static BuildRecord? ReadFile(string file)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(file), RecordJson.Default.BuildRecord) is { IsWhole: true } record ? record
                : null;
        }
        catch (Exception exception) when (exception is JsonException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
