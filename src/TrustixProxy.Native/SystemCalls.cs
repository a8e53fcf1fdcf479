using System.Runtime.InteropServices;

namespace TrustixProxy.Native;

/// <summary>Questions to the system that .NET does not ask.</summary>
public static partial class SystemCalls
{
    /// <summary>What is taken for the number of open files where the system does not say: what Linux gives at least.</summary>
    private const int UsualOpenFiles = 1024;

    private const int OpenFilesOnLinux = 7, OpenFilesElsewhere = 8; // RLIMIT_NOFILE

    private const int CurrentDirectory = -100, DoNotFollow = 0x100; // AT_FDCWD, AT_SYMLINK_NOFOLLOW

    private const uint TypeOnly = 1; // STATX_TYPE

    private const int StatxSize = 256, ModeOffset = 28;

    private const ushort TypeMask = 0xF000, SocketType = 0xC000; // S_IFMT, S_IFSOCK

    /// <summary>How many files, sockets included, this process may have open at once: the soft limit, which .NET raises to the hard one
    /// when it starts.</summary>
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

    /// <summary>Whether a path names a socket itself, not a link to one. False where the system does not say, and where nothing is
    /// there.</summary>
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
