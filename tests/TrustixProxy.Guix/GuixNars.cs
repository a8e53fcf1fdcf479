using System.Security.Cryptography;
using TrustixProxy.Nix;

namespace TrustixProxy.Guix;

/// <summary>Makes NARs and paths for farms of the test's own.</summary>
internal static class GuixNars
{
    /// <summary>A random path of Guix's store.</summary>
    public static string RandomPath(string name) => $"/gnu/store/{Nix32.Encode(RandomNumberGenerator.GetBytes(20))}-{name}";

    /// <summary>The NAR of a file.</summary>
    public static byte[] OfFile(byte[] contents) => Pack(writer => writer.File(contents));

    /// <summary>The NAR of a folder with a program in its <c>bin</c>.</summary>
    public static byte[] OfProgram(string name, byte[] script) => Pack(writer =>
    {
        writer.Directory();
        writer.Entry("bin");
        writer.Directory();
        writer.Entry(name);
        writer.File(script, executable: true);
        writer.EndEntry();
        writer.EndDirectory();
        writer.EndEntry();
        writer.EndDirectory();
    });

    private static byte[] Pack(Action<NarWriter> write)
    {
        using var stream = new MemoryStream();
        write(new NarWriter(stream));
        return stream.ToArray();
    }
}
