using System.Runtime.InteropServices;

namespace TrustixProxy.Native;

/// <summary>The file system's metadata of a regular file. Equal stamps mean that the file was not written or replaced in between: the
/// change time, unlike the modification time, cannot be set.</summary>
/// <param name="Inode">The file's inode number in its file system.</param>
/// <param name="Size">Length in bytes.</param>
/// <param name="ModifiedAt">Time of the last content change, in nanoseconds since 1970; programs can set it.</param>
/// <param name="ChangedAt">Time of the last change of content, name or attributes, in nanoseconds since 1970; only the kernel sets
/// it.</param>
public readonly partial record struct FileStamp(ulong Inode, long Size, Int128 ModifiedAt, Int128 ChangedAt)
{
    // struct statx of linux/stat.h, 256 bytes
    private const int BufferSize = 256, ModeAt = 28, InodeAt = 32, SizeAt = 40, ChangedTimeAt = 96, ModifiedTimeAt = 112;

    private const int WorkingDirectory = -100, DoNotFollow = 0x100;
    private const uint BasicStats = 0x7ff;
    private const int FormatMask = 0xf000, Regular = 0x8000;

    static FileStamp() => NativeLibraries.Register();

    /// <summary>Reads a file's stamp; null when it is not a regular file, for example a symbolic link.</summary>
    public static FileStamp? Read(string path)
    {
        Span<byte> buffer = stackalloc byte[BufferSize];
        return Statx(WorkingDirectory, path, DoNotFollow, BasicStats, buffer) is 0
            && (MemoryMarshal.Read<ushort>(buffer[ModeAt..]) & FormatMask) is Regular
            ? new FileStamp(
                MemoryMarshal.Read<ulong>(buffer[InodeAt..]), MemoryMarshal.Read<long>(buffer[SizeAt..]),
                TimeAt(buffer[ModifiedTimeAt..]), TimeAt(buffer[ChangedTimeAt..]))
            : null;
    }

    private static Int128 TimeAt(ReadOnlySpan<byte> time) =>
        ((Int128)MemoryMarshal.Read<long>(time) * 1_000_000_000) + MemoryMarshal.Read<uint>(time[8..]);

    [LibraryImport(NativeLibraries.C, EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int folder, string path, int flags, uint mask, Span<byte> buffer);
}
