using System.Globalization;
using TrustixProxy.IO.Storage;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.LogNode.Archive;

/// <summary>The files of an export on disk. Its errors name the file.</summary>
internal sealed class ArchiveFolder(string path)
{
    /// <summary>Returns the path of a file.</summary>
    public string PathOf(string name) => Path.Combine(path, name);

    /// <summary>Whether there is such a file.</summary>
    public bool Has(string name) => File.Exists(PathOf(name));

    /// <summary>Reads and decodes a file.</summary>
    /// <exception cref="InvalidDataException">The file is not what its name says.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public T Read<T>(string name, Func<byte[], T> decode) => Named(name, () =>
        new FileInfo(PathOf(name)) is { Exists: true, Length: > ArchiveLayout.MaxFile } ? throw new InvalidDataException("is too long")
            : decode(File.ReadAllBytes(PathOf(name))));

    /// <summary>Reads the description of an export of one log.</summary>
    /// <param name="own">Describes the log.</param>
    /// <exception cref="InvalidDataException">The file describes another log, or is no description.</exception>
    public ArchiveDescription ReadDescription(ArchiveDescription own)
    {
        var there = Read(ArchiveLayout.Description, ArchiveDescription.Decode);
        return there.LogId == own.LogId && there.PublicKey == own.PublicKey ? there
            : throw new InvalidDataException(
                $"{PathOf(ArchiveLayout.Description)} describes another log than {own.LogId}: each log has a folder of its own.");
    }

    /// <summary>Does something with a file whose name an error then begins with.</summary>
    /// <exception cref="InvalidDataException">The file is not what its name says.</exception>
    public T Named<T>(string name, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (InvalidDataException exception)
        {
            throw new InvalidDataException($"{PathOf(name)} {exception.Message}.", exception);
        }
    }

    /// <summary>Reads the files of a folder, in order, each with its records.</summary>
    /// <param name="folder">The folder's name.</param>
    /// <param name="count">Number of records that it holds.</param>
    /// <param name="decode">Decodes the records of a file.</param>
    public IEnumerable<(string Name, List<T> Records)> ReadAll<T>(string folder, long count, Func<byte[], IEnumerable<T>> decode)
    {
        for (long index = 0; index * ArchiveLayout.Width < count; index++)
        {
            var expected = (int)Math.Min(ArchiveLayout.Width, count - (index * ArchiveLayout.Width));
            var name = ArchiveLayout.FileName(folder, index, expected);
            var records = Read(name, bytes => decode(bytes).ToList());
            yield return records.Count == expected ? (name, records)
                : throw new InvalidDataException($"{PathOf(name)} holds {records.Count} records; it must hold {expected}.");
        }
    }

    /// <summary>Finds the full file, or the partial one with the most records; null when there is none.</summary>
    public string? Find(string folder, long index)
    {
        var full = ArchiveLayout.FileName(folder, index, ArchiveLayout.Width);
        string[] partial = Directory.Exists(PathOf(full + ".p")) ? Directory.GetFiles(PathOf(full + ".p")) : [];
        return Has(full) ? full : partial.Select(WidthOf).DefaultIfEmpty().Max() is > 0 and var width ? $"{full}.p/{width}" : null;
    }

    /// <summary>Writes a file durably, and then makes it visible whole.</summary>
    public void Write(string name, params IEnumerable<byte[]> parts)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(PathOf(name))!);
        WholeFile.Replace(PathOf(name), file =>
        {
            foreach (var part in parts)
            {
                file.Write(part);
            }
        });
    }

    /// <summary>Writes the missing files of a folder; returns their number.</summary>
    /// <param name="folder">The folder's name.</param>
    /// <param name="count">Number of records that it must hold.</param>
    /// <param name="read">Reads the file of a number and a width, in parts.</param>
    /// <param name="progress">Receives the number of files that are there.</param>
    public int WriteMissing(string folder, long count, Func<long, int, IEnumerable<byte[]>> read, Action<long> progress)
    {
        var written = 0;
        for (var index = FirstMissing(folder, count); index * ArchiveLayout.Width < count; index++)
        {
            var width = (int)Math.Min(ArchiveLayout.Width, count - (index * ArchiveLayout.Width));
            var name = ArchiveLayout.FileName(folder, index, width);
            if (!Has(name))
            {
                Write(name, read(index, width));
                written++;
            }

            progress(index + 1);
        }

        return written;
    }

    /// <summary>Deletes partial files that have been replaced. Keeps those of the last two exports, since readers may be under
    /// way.</summary>
    /// <param name="folder">The folder's name.</param>
    /// <param name="before">Number of records at the last export.</param>
    /// <param name="count">Number of records now.</param>
    public void DropPartials(string folder, long before, long count)
    {
        var kept = new[] { before, count }.Select(size =>
            PathOf(ArchiveLayout.FileName(folder, size / ArchiveLayout.Width, (int)(size % ArchiveLayout.Width)))).ToHashSet();
        var partial = Directory.Exists(PathOf(folder))
            ? Directory.GetDirectories(PathOf(folder), "*.p", SearchOption.AllDirectories) : [];
        foreach (var one in partial)
        {
            var isFull = File.Exists(one[..^2]);
            foreach (var file in Directory.GetFiles(one).Where(file => WidthOf(file) > 0 && (isFull || !kept.Contains(file))))
            {
                File.Delete(file);
            }

            if (!Directory.EnumerateFileSystemEntries(one).Any())
            {
                Directory.Delete(one);
            }
        }
    }

    private static int WidthOf(string file) =>
        int.TryParse(Path.GetFileName(file), NumberStyles.None, CultureInfo.InvariantCulture, out var width) ? width : 0;

    /// <summary>Returns the first missing full file: files are written in order, and never deleted.</summary>
    private long FirstMissing(string folder, long count)
    {
        var (low, high) = (0L, count / ArchiveLayout.Width);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = Has(ArchiveLayout.FileName(folder, middle, ArchiveLayout.Width)) ? (middle + 1, high) : (low, middle);
        }

        return low;
    }
}
