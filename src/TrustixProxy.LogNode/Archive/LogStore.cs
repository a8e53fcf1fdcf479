using TrustixProxy.LogNode.Operations;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Archive;

/// <summary>What can be read of a log without its node.</summary>
public static class LogStore
{
    /// <summary>The log's file.</summary>
    public static string PathOf(LogNodeOptions options, HostedLogOptions log) => LogDatabase.PathOf(options.StateDirectory, log.Name);

    /// <summary>All conflicts, oldest first.</summary>
    /// <exception cref="FileNotFoundException">The log was never kept there.</exception>
    /// <exception cref="InvalidDataException">The file is no log's.</exception>
    public static IEnumerable<Conflict> Conflicts(LogNodeOptions options, HostedLogOptions log)
    {
        const int page = 100;
        using var database = LogDatabase.OpenToRead(PathOf(options, log));
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
