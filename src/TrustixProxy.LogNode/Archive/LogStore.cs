using TrustixProxy.LogNode.Storage;

namespace TrustixProxy.LogNode.Archive;

/// <summary>Reads a log without its node.</summary>
public static class LogStore
{
    /// <summary>Returns the path of the log's file.</summary>
    public static string PathOf(string stateDirectory, HostedLogOptions log) => LogDatabase.PathOf(stateDirectory, log.Name);

    /// <summary>Lists all keys for which different values were submitted, in the log's order.</summary>
    /// <exception cref="FileNotFoundException">The log has no file there.</exception>
    /// <exception cref="InvalidDataException">The file is not a log's.</exception>
    public static IEnumerable<DisputedKey> Disputed(string stateDirectory, HostedLogOptions log)
    {
        const int page = 100;
        using var database = LogDatabase.OpenToRead(PathOf(stateDirectory, log));
        List<DisputedKey> keys;
        for (long last = -1; (keys = database.Read(reader => DisputedKeys.Read(reader, last, page))).Count > 0; last = keys[^1].Index)
        {
            foreach (var key in keys)
            {
                yield return key;
            }
        }
    }
}
