using System.Buffers.Binary;
using System.Text;

namespace TrustixProxy.Nix;

/// <summary>Writes a NAR. The caller ensures the order: entries of a directory sorted by byte, one node per entry, one root node.</summary>
/// <remarks>Source: nix <c>src/libutil/archive.cc</c>, <c>dumpPath</c>; <see cref="NarReader"/> documents the grammar.</remarks>
public sealed class NarWriter
{
    private readonly Stream _output;

    /// <summary>Writes the archive's first word to <paramref name="output"/>, which the caller owns.</summary>
    public NarWriter(Stream output)
    {
        _output = output;
        Word("nix-archive-1");
    }

    /// <summary>Writes a regular file with these bytes.</summary>
    public void File(ReadOnlySpan<byte> contents, bool executable = false)
    {
        Words("(", "type", "regular");
        if (executable)
        {
            Words("executable", "");
        }

        Word("contents");
        Word(contents);
        Word(")");
    }

    /// <summary>Writes a symbolic link.</summary>
    public void Symlink(string target) => Words("(", "type", "symlink", "target", target, ")");

    /// <summary>Opens a directory; <see cref="Entry"/> and one node follow for each entry, then <see cref="EndDirectory"/>.</summary>
    public void Directory() => Words("(", "type", "directory");

    /// <summary>Opens an entry of this name; its node follows, then <see cref="EndEntry"/>.</summary>
    public void Entry(string name) => Words("entry", "(", "name", name, "node");

    /// <summary>Closes an entry.</summary>
    public void EndEntry() => Word(")");

    /// <summary>Closes a directory.</summary>
    public void EndDirectory() => Word(")");

    private void Words(params ReadOnlySpan<string> words)
    {
        foreach (var word in words)
        {
            Word(word);
        }
    }

    private void Word(string text) => Word(Encoding.UTF8.GetBytes(text));

    private void Word(ReadOnlySpan<byte> bytes)
    {
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, bytes.Length);
        _output.Write(length);
        _output.Write(bytes);
        _output.Write(stackalloc byte[-bytes.Length & 7]);
    }
}
