namespace TrustixProxy.Publisher;

/// <summary>The log that Guix's daemon keeps of a build, closed before the outputs are registered; substitution writes none.</summary>
/// <param name="ClosedAt">When it was last written, to the millisecond.</param>
internal readonly record struct GuixBuildLog(DateTimeOffset ClosedAt)
{
    /// <summary>Maximum time between the end of a build and the registration of an empty output.</summary>
    private static readonly TimeSpan Registration = TimeSpan.FromSeconds(5);

    /// <summary>Bytes that the daemon hashes in a second, at the least, before it registers an output.</summary>
    private const double HashedPerSecond = 20e6;

    private static readonly string[] Suffixes = [".gz", ".bz2", ""];

    /// <summary>Finds the log of a path's derivation; null when it has none.</summary>
    /// <param name="state">Guix's state directory.</param>
    public static GuixBuildLog? Of(GuixPath path, string state)
    {
        if (path.Deriver?.ToString() is not { } derivation)
        {
            return null;
        }

        var name = Path.Combine(state, "..", "log", "guix", "drvs", derivation[..2], derivation[2..]);
        return Suffixes.Select(suffix => new FileInfo(name + suffix)).FirstOrDefault(file => file.Exists) is { } log
            ? new GuixBuildLog(DateTimeOffset.FromUnixTimeMilliseconds(new DateTimeOffset(log.LastWriteTimeUtc).ToUnixTimeMilliseconds()))
            : null;
    }

    /// <summary>Whether the path was registered so soon after this build ended that it is the build's output, and no later copy.</summary>
    public bool Explains(GuixPath path)
    {
        var end = DateTimeOffset.FromUnixTimeSeconds(ClosedAt.ToUnixTimeSeconds()); // registrations have whole seconds
        return path.RegisteredAt >= end && path.RegisteredAt <= ClosedAt + Patience(path.NarSize);
    }

    /// <summary>Returns how long after the end of a build its output may be registered.</summary>
    public static TimeSpan Patience(long narSize) => Registration + TimeSpan.FromSeconds(narSize / HashedPerSecond);
}
