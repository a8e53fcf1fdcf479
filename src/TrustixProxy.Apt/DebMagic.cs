namespace TrustixProxy.Apt;

/// <summary>Tells packages from other files by their first bytes, as dpkg does: an index may give a package any file name.</summary>
/// <remarks>Source: dpkg <c>lib/dpkg/ar.h</c>, <c>src/deb/extract.c</c>.</remarks>
public static class DebMagic
{
    /// <summary>Number of first bytes that tell.</summary>
    public const int Size = 8;

    /// <summary>Whether a file that begins so could be installed by dpkg: an <c>ar</c> archive, or a package of dpkg before 1995.</summary>
    /// <param name="firstBytes">The first <see cref="Size"/> bytes; fewer only of a shorter file, which is none.</param>
    public static bool IsPackage(ReadOnlySpan<byte> firstBytes) => firstBytes.StartsWith("!<arch>\n"u8) || firstBytes.StartsWith("0.93"u8);
}
