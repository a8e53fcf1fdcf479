using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Archive;

/// <summary>What can be read of a log without its node.</summary>
public static class LogStore
{
    /// <summary>The log's file.</summary>
    public static string PathOf(string stateDirectory, HostedLogOptions log) => LogDatabase.PathOf(stateDirectory, log.Name);

    /// <summary>All conflicts, oldest first.</summary>
    /// <exception cref="FileNotFoundException">The log was never kept there.</exception>
    /// <exception cref="InvalidDataException">The file is no log's.</exception>
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
