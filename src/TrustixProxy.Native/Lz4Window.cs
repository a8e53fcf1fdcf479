namespace TrustixProxy.Native;

/// <summary>The last 64 KiB of an LZ4 frame's output, which matches repeat.</summary>
internal sealed class Lz4Window
{
    private const int Size = 64 << 10, Mask = Size - 1;

    private readonly byte[] _bytes = new byte[Size];
    private int _end;

    /// <summary>Number of bytes that it holds.</summary>
    public int Filled { get; private set; }

    /// <summary>Forgets all bytes.</summary>
    public void Clear() => (_end, Filled) = (0, 0);

    /// <summary>Adds output.</summary>
    public void Keep(ReadOnlySpan<byte> output)
    {
        Filled = Math.Min(Size, Filled + output.Length);
        output = output[Math.Max(0, output.Length - Size)..];
        var first = Math.Min(output.Length, Size - _end);
        output[..first].CopyTo(_bytes.AsSpan(_end));
        output[first..].CopyTo(_bytes);
        _end = (_end + output.Length) & Mask;
    }

    /// <summary>Fills the output with the bytes that begin <paramref name="distance"/> before the end, and adds it.</summary>
    public void Repeat(int distance, Span<byte> output)
    {
        for (var i = 0; i < output.Length; i++)
        {
            output[i] = _bytes[_end] = _bytes[(_end - distance) & Mask];
            _end = (_end + 1) & Mask;
        }

        Filled = Math.Min(Size, Filled + output.Length);
    }
}
