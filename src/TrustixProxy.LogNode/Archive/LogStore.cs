using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Archive;

/// <summary>Reads a log without its node.</summary>
public static class LogStore
{
    /// <summary>Returns the path of the log's file.</summary>
    public static string PathOf(string stateDirectory, HostedLogOptions log) => LogDatabase.PathOf(stateDirectory, log.Name);

    /// <summary>Lists all conflicts, oldest first.</summary>
    /// <exception cref="FileNotFoundException">The log has no file there.</exception>
    /// <exception cref="InvalidDataException">The file is not a log's.</exception>
    public static IEnumerable<Conflict> Conflicts(string stateDirectory, HostedLogOptions log)
    {
        const int page = 100;
        using var database = LogDatabase.OpenToRead(PathOf(stateDirectory, log));
        List<Conflict> conflicts;
        for (long start = 0; (conflicts = database.Read(reader => reader.FindConflicts(start, page))).Count > 0; start += conflicts.Count)
        {
            foreach (var conflict in conflicts)
            {
                yield return conflict;
            }
        }
    }
}
