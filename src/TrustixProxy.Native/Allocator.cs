using System.Runtime.InteropServices;

namespace TrustixProxy.Native;

/// <summary>The C library's memory, which SQLite and OpenSSL take theirs from.</summary>
public static partial class Allocator
{
    private const int ArenaMax = -8; // M_ARENA_MAX of glibc's malloc.h

    /// <summary>Has all threads share one arena: glibc keeps one for each otherwise, with free memory in it that no other thread uses. To be called before threads are begun; does nothing where the C library has no such setting.</summary>
    public static void ShareArena()
    {
        try
        {
            _ = SetOption(ArenaMax, 1);
        }
        catch (Exception exception) when (exception is EntryPointNotFoundException or DllNotFoundException)
        {
            // musl: there are no arenas.
        }
    }

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int SetOption(int option, int value);
}
