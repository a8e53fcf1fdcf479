namespace TrustixProxy.Guix;

/// <summary>The root file system that has the real Guix.</summary>
internal static class GuixFolder
{
    /// <summary>The script that makes and enters it.</summary>
    public static readonly string Script = Path.Combine(AppContext.BaseDirectory, "folder");

    /// <summary>The Debian release and the folder; null when it is not at hand.</summary>
    public static (string Release, string Folder)? AtHand { get; } = Find();

    /// <summary>Whether its Guix serves and reads zstd; that of bullseye does not.</summary>
    public static bool HasZstd => AtHand is not { Release: "bullseye" };

    private static (string Release, string Folder)? Find() =>
        Shell.RunAsync(Script, ["list"]).GetAwaiter().GetResult().OrThrow().Output.Trim().Split(' ', 2) is [var release, var folder]
            ? (release, folder) : null;
}

/// <summary>A theory about the real Guix, skipped where it is missing.</summary>
internal sealed class GuixTheoryAttribute : TheoryAttribute
{
    public GuixTheoryAttribute()
    {
        if (GuixFolder.AtHand is null)
        {
            Skip = "Guix is missing: run tests/Guix/folder make as root.";
        }
    }
}

/// <summary>A fact about the real Guix, skipped where it is missing.</summary>
/// <remarks><c>tests/run</c> counts a skipped test as failed where <c>CI=true</c>.</remarks>
internal sealed class GuixFactAttribute : FactAttribute
{
    public GuixFactAttribute()
    {
        if (GuixFolder.AtHand is null)
        {
            Skip = "Guix is missing: run tests/Guix/folder make as root.";
        }
    }
}
