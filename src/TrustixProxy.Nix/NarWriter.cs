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
        OpenFile(executable);
        Word(contents);
        Word(")");
    }

    /// <summary>Writes a regular file with the bytes of a stream, of which there must be <paramref name="length"/>.</summary>
    /// <exception cref="IOException">The stream has more or fewer bytes.</exception>
    public void File(Stream contents, long length, bool executable = false)
    {
        OpenFile(executable);
        Length(length);
        var (buffer, left) = (new byte[64 << 10], length);
        while (contents.Read(buffer) is var read and > 0 && (left -= read) >= 0)
        {
            _output.Write(buffer.AsSpan(0, read));
        }

        if (left is not 0)
        {
            throw new IOException($"has not {length} bytes as it had before");
        }

        Pad(length);
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
        Length(bytes.Length);
        _output.Write(bytes);
        Pad(bytes.Length);
    }

    private void OpenFile(bool executable)
    {
        Words("(", "type", "regular");
        if (executable)
        {
            Words("executable", "");
        }

        Word("contents");
    }

    private void Length(long length)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, length);
        _output.Write(bytes);
    }

    private void Pad(long length) => _output.Write(stackalloc byte[(int)(-length & 7)]);
}
