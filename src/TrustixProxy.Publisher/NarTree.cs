using System.Text;
using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>Writes the NAR of a file, link or folder as it is on the disk.</summary>
/// <remarks>Names and link targets must be UTF-8; a file that changes its size meanwhile is an error.</remarks>
internal static class NarTree
{
    /// <summary>Writes the NAR of a path.</summary>
    /// <exception cref="IOException">Something cannot be read, or changes meanwhile.</exception>
    /// <exception cref="UnauthorizedAccessException">Something is not readable by this user.</exception>
    public static void Write(string path, Stream output) => WriteNode(new NarWriter(output), new FileInfo(path));

    private static void WriteNode(NarWriter nar, FileSystemInfo node)
    {
        if (node.LinkTarget is { } target)
        {
            nar.Symlink(target);
        }
        else if (Directory.Exists(node.FullName))
        {
            nar.Directory();
            foreach (var entry in new DirectoryInfo(node.FullName).EnumerateFileSystemInfos()
                .OrderBy(entry => Encoding.UTF8.GetBytes(entry.Name), ByteOrder))
            {
                nar.Entry(entry.Name);
                WriteNode(nar, entry);
                nar.EndEntry();
            }

            nar.EndDirectory();
        }
        else
        {
            using var file = File.OpenRead(node.FullName);
            nar.File(file, file.Length, File.GetUnixFileMode(file.SafeFileHandle).HasFlag(UnixFileMode.UserExecute));
        }
    }

    private static readonly Comparer<byte[]> ByteOrder = Comparer<byte[]>.Create((one, other) => one.AsSpan().SequenceCompareTo(other));
}
