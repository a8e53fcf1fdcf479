namespace TrustixProxy.Nars.Comparison;

/// <summary>What a NAR holds at a path.</summary>
public enum NarNodeKind
{
    /// <summary>A directory.</summary>
    Directory,

    /// <summary>A regular file.</summary>
    File,

    /// <summary>A symbolic link.</summary>
    Symlink,
}

/// <summary>A node of a NAR.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="IsExecutable">Whether a file is executable.</param>
/// <param name="Size">A file's length in bytes; 0 for what is no file.</param>
/// <param name="Target">Where a link leads, printable; null for what is no link.</param>
public sealed record NarNode(NarNodeKind Kind, bool IsExecutable, long Size, string? Target);

/// <summary>How a path differs.</summary>
public enum NarChange
{
    /// <summary>Only the first NAR has it.</summary>
    Removed,

    /// <summary>Only the second NAR has it.</summary>
    Added,

    /// <summary>Both have it, and not the same.</summary>
    Changed,
}

/// <summary>A path at which two NARs differ.</summary>
/// <param name="Path">Below the store path, printable; <c>.</c> is the store path itself.</param>
/// <param name="Change">How.</param>
/// <param name="A">What the first NAR has there; null when nothing.</param>
/// <param name="B">What the second NAR has there; null when nothing.</param>
/// <param name="Contents">How the contents differ; null unless both have a file there, and not of the same bytes.</param>
public sealed record NarDifference(string Path, NarChange Change, NarNode? A, NarNode? B, ContentDifference? Contents);

/// <summary>How the contents of two files differ.</summary>
/// <param name="First">Offset of the first byte that differs, or that only one of them has.</param>
/// <param name="Bytes">How many bytes differ at the same offset, as far as the shorter one goes.</param>
/// <param name="WindowStart">Offset at which both windows begin: <paramref name="First"/> or up to 15 before it.</param>
/// <param name="WindowA">Up to 64 bytes of the first file from there on.</param>
/// <param name="WindowB">Up to 64 bytes of the second file from there on.</param>
/// <param name="Lines">The lines that differ, printable, each after <c>-</c>, <c>+</c>, a space, or <c>@@</c> where some are left out; null
/// unless both are small texts that differ in few lines.</param>
/// <param name="OnlyInA">Times, build paths and store paths that only the first file has; some of them when there are many.</param>
/// <param name="OnlyInB">The same of the second file.</param>
public sealed record ContentDifference(
    long First, long Bytes, long WindowStart, byte[] WindowA, byte[] WindowB, IReadOnlyList<string>? Lines, IReadOnlyList<Trace> OnlyInA,
        IReadOnlyList<Trace> OnlyInB);

/// <summary>What in a file looks as if it came from where and when it was built, rather than from what.</summary>
/// <param name="Kind">What it looks like.</param>
/// <param name="Text">The text, printable; for a number of seconds, the time that it means after it.</param>
public sealed record Trace(TraceKind Kind, string Text);

/// <summary>What a trace looks like.</summary>
public enum TraceKind
{
    /// <summary>A date, a time of day, or both.</summary>
    Time,

    /// <summary>A path below a folder that builders use, or somebody's home.</summary>
    BuildPath,

    /// <summary>A path of the store.</summary>
    StorePath,
}
