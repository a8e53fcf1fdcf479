namespace TrustixProxy.Nars.Comparison;

/// <summary>The kind of a NAR node.</summary>
public enum NarNodeKind
{
    Directory,

    File,

    Symlink,
}

/// <summary>A node of a NAR.</summary>
/// <param name="IsExecutable">Whether a file is executable.</param>
/// <param name="Size">A file's length in bytes; 0 for other kinds.</param>
/// <param name="Target">A link's printable target; null for other kinds.</param>
public sealed record NarNode(NarNodeKind Kind, bool IsExecutable, long Size, string? Target);

/// <summary>How a path differs.</summary>
public enum NarChange
{
    /// <summary>Present only in the first NAR.</summary>
    Removed,

    /// <summary>Present only in the second NAR.</summary>
    Added,

    /// <summary>Present in both, but different.</summary>
    Changed,
}

/// <summary>A path that differs between two NARs.</summary>
/// <param name="Path">Printable path below the store path; <c>.</c> is the store path itself.</param>
/// <param name="Change">The kind of difference.</param>
/// <param name="A">The node in the first NAR; null when absent.</param>
/// <param name="B">The node in the second NAR; null when absent.</param>
/// <param name="Contents">How the contents differ; null unless both nodes are files with different bytes.</param>
public sealed record NarDifference(string Path, NarChange Change, NarNode? A, NarNode? B, ContentDifference? Contents);

/// <summary>How the contents of two files differ.</summary>
/// <param name="First">Offset of the first differing byte, or of the first byte only one file has.</param>
/// <param name="Bytes">Number of differing bytes at equal offsets, up to the shorter length.</param>
/// <param name="WindowStart">Start offset of both windows: <paramref name="First"/> or up to 15 before it.</param>
/// <param name="WindowA">Up to 64 bytes of the first file from there.</param>
/// <param name="WindowB">Up to 64 bytes of the second file from there.</param>
/// <param name="Lines">The lines that differ, printable, each after <c>-</c>, <c>+</c>, a space, or <c>@@</c> where some are left out; null
/// unless both are small texts that differ in few lines.</param>
/// <param name="OnlyInA">Times, build paths and store paths found only in the first file; some of them when there are many.</param>
/// <param name="OnlyInB">The traces found only in the second file.</param>
public sealed record ContentDifference(
    long First, long Bytes, long WindowStart, byte[] WindowA, byte[] WindowB, IReadOnlyList<string>? Lines, IReadOnlyList<Trace> OnlyInA,
        IReadOnlyList<Trace> OnlyInB);

/// <summary>A trace of when or where a file was built.</summary>
/// <param name="Kind">The kind of trace.</param>
/// <param name="Text">The printable text; for seconds since 1970 followed by the time they denote.</param>
public sealed record Trace(TraceKind Kind, string Text);

/// <summary>The kind of a trace.</summary>
public enum TraceKind
{
    /// <summary>A date, a time of day, or both.</summary>
    Time,

    /// <summary>A path below a build directory or a home directory.</summary>
    BuildPath,

    /// <summary>A store path.</summary>
    StorePath,
}
