namespace TrustixProxy.Fuzz.Delivery;

/// <summary>What this process has open, by <c>/proc/self/fd</c>.</summary>
internal static class OpenHandles
{
    /// <summary>How many sockets are open.</summary>
    public static int Sockets => Targets().Count(target => target.StartsWith("socket:", StringComparison.Ordinal));

    /// <summary>The open files of a directory, deleted ones included.</summary>
    public static IReadOnlyList<string> FilesIn(string directory) =>
        [.. Targets().Where(target => target.StartsWith(directory + "/", StringComparison.Ordinal))];

    private static List<string> Targets()
    {
        var targets = new List<string>();
        foreach (var handle in Directory.EnumerateFileSystemEntries("/proc/self/fd"))
        {
            try
            {
                targets.Add(new FileInfo(handle).LinkTarget ?? "");
            }
            catch (IOException)
            {
                // It was closed meanwhile.
            }
        }

        return targets;
    }
}
