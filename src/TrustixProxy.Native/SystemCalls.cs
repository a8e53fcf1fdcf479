using System.Runtime.InteropServices;

namespace TrustixProxy.Native;

/// <summary>Makes the system calls that .NET does not expose.</summary>
public static partial class SystemCalls
{
    /// <summary>Assumed number of open files if the system does not report one: Linux's minimum default.</summary>
    private const int UsualOpenFiles = 1024;

    private const int OpenFilesOnLinux = 7, OpenFilesElsewhere = 8; // RLIMIT_NOFILE

    private const int CurrentDirectory = -100, DoNotFollow = 0x100; // AT_FDCWD, AT_SYMLINK_NOFOLLOW

    private const uint TypeOnly = 1; // STATX_TYPE

    private const int StatxSize = 256, ModeOffset = 28;

    private const ushort TypeMask = 0xF000, SocketType = 0xC000; // S_IFMT, S_IFSOCK

    /// <summary>Maximum number of files, sockets included, this process may open: the soft limit, which .NET raises to the hard one at
    /// start.</summary>
    public static int OpenFiles
    {
        get
        {
            Span<ulong> limit = stackalloc ulong[2];
            return GetLimit(OperatingSystem.IsLinux() ? OpenFilesOnLinux : OpenFilesElsewhere, limit) is 0
                ? (int)Math.Min(limit[0], int.MaxValue)
                : UsualOpenFiles;
        }
    }

    /// <summary>Whether a path is a socket itself, not a link to one. False when nothing is there, or the system cannot say.</summary>
    public static bool IsSocket(string path)
    {
        try
        {
            Span<byte> answer = stackalloc byte[StatxSize];
            return Statx(CurrentDirectory, path, DoNotFollow, TypeOnly, answer) is 0
                && (MemoryMarshal.Read<ushort>(answer[ModeOffset..]) & TypeMask) is SocketType;
        }
        catch (EntryPointNotFoundException)
        {
            return false; // a system without statx(2)
        }
    }

    [LibraryImport("libc", EntryPoint = "getrlimit")]
    private static partial int GetLimit(int resource, Span<ulong> limit);

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int directory, string path, int flags, uint mask, Span<byte> answer);
}
