using System.Runtime.InteropServices;

namespace TrustixProxy.Native;

/// <summary>What the file system says of a regular file. Equal stamps mean that nobody has written or replaced the file in between:
/// unlike the modification time, the time of change cannot be set.</summary>
/// <param name="Inode">The file's number in its file system.</param>
/// <param name="Size">Its length in bytes.</param>
/// <param name="ModifiedAt">When its content was written, in nanoseconds since 1970; a program may set it.</param>
/// <param name="ChangedAt">When its content, name or attributes were changed, in nanoseconds since 1970; only the kernel sets it.</param>
public readonly partial record struct FileStamp(ulong Inode, long Size, Int128 ModifiedAt, Int128 ChangedAt)
{
    // struct statx of linux/stat.h, 256 bytes
    private const int BufferSize = 256, ModeAt = 28, InodeAt = 32, SizeAt = 40, ChangedTimeAt = 96, ModifiedTimeAt = 112;

    private const int WorkingDirectory = -100, DoNotFollow = 0x100;
    private const uint BasicStats = 0x7ff;
    private const int FormatMask = 0xf000, Regular = 0x8000;

    static FileStamp() => NativeLibraries.Register();

    /// <summary>Reads the stamp of a file; null when there is no regular file, which a symbolic link is not.</summary>
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
