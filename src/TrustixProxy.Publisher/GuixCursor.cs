using System.Globalization;
using System.Text;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>How far a publisher has read the database of Guix's daemon: <c>guix-cursor</c> in the spool.</summary>
/// <param name="Id">The last row that was read.</param>
/// <param name="Used">Outputs whose build log has justified a registration, and when that log was closed; recent ones alone.</param>
/// <remarks>The file has the id on its first line, then one line for each output: base name, a space, and the log's time in
/// milliseconds.</remarks>
internal sealed record GuixCursor(long Id, IReadOnlyDictionary<StorePath, DateTimeOffset> Used)
{
    private const string Name = "guix-cursor";

    /// <summary>Reads the cursor; null when there is none.</summary>
    /// <exception cref="IOException">The file cannot be read, or is not a cursor.</exception>
    public static GuixCursor? Read(string spool)
    {
        var file = Path.Combine(spool, Name);
        if (!File.Exists(file))
        {
            return null;
        }

        var lines = File.ReadAllLines(file);
        var used = new Dictionary<StorePath, DateTimeOffset>();
        var isGood = long.TryParse(lines.FirstOrDefault(), NumberStyles.None, CultureInfo.InvariantCulture, out var id);
        foreach (var line in lines.Skip(1))
        {
            isGood &= TryReadUse(line, used);
        }

        return isGood ? new GuixCursor(id, used) : throw new IOException(
            $"{file} is damaged. Remove it: publishing then goes on with the next build; log submit publishes what was built before.");
    }

    /// <summary>Replaces the file.</summary>
    /// <exception cref="IOException">The disk refuses.</exception>
    /// <exception cref="UnauthorizedAccessException">The spool is not writable.</exception>
    public void Write(string spool) => WholeFile.Replace(Path.Combine(spool, Name), stream =>
    {
        var lines = Used.Select(use => $"{use.Key} {use.Value.ToUnixTimeMilliseconds()}\n");
        stream.Write(Encoding.ASCII.GetBytes($"{Id}\n{string.Concat(lines)}"));
    }, UnixFileMode.UserRead | UnixFileMode.UserWrite);

    private static bool TryReadUse(string line, Dictionary<StorePath, DateTimeOffset> used)
    {
        if (line.Split(' ') is not [var name, var time] || !StorePath.TryParse(name, Store.Guix, out var path, out _)
            || !long.TryParse(time, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds)
            || milliseconds > DateTimeOffset.MaxValue.ToUnixTimeMilliseconds())
        {
            return false;
        }

        used[path] = DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);
        return true;
    }
}
