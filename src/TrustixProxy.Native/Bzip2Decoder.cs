using System.Runtime.InteropServices;

namespace TrustixProxy.Native;

/// <summary>Decodes bzip2 with libbz2 (<c>bzlib.h</c>).</summary>
public sealed unsafe partial class Bzip2Decoder : Decoder
{
    private const int Ok = 0, StreamEnd = 4;

    static Bzip2Decoder() => NativeLibraries.Register();

    /// <summary>Creates a decoder.</summary>
    public Bzip2Decoder()
    {
        SetHandle((nint)NativeMemory.AllocZeroed((nuint)sizeof(BzStream)));
        Start();
    }

    internal override int StartSize => 10;

    /// <remarks>A header, then the magic number of a block or of the end.</remarks>
    internal override bool BeginsStream(ReadOnlySpan<byte> next) => next is
        [(byte)'B', (byte)'Z', (byte)'h', >= (byte)'1' and <= (byte)'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..]
        or [(byte)'B', (byte)'Z', (byte)'h', >= (byte)'1' and <= (byte)'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..];

    private protected override DecodeStatus DecodeCore(
        ReadOnlySpan<byte> source, Span<byte> destination, out int consumed, out int written)
    {
        var stream = (BzStream*)handle;
        fixed (byte* input = source, output = destination)
        {
            stream->NextIn = input;
            stream->AvailableIn = (uint)source.Length;
            stream->NextOut = output;
            stream->AvailableOut = (uint)destination.Length;
            var result = Decompress(this);
            consumed = source.Length - (int)stream->AvailableIn;
            written = destination.Length - (int)stream->AvailableOut;
            return result switch { Ok => DecodeStatus.More, StreamEnd => DecodeStatus.End, _ => DecodeStatus.Malformed };
        }
    }

    private protected override void RestartCore()
    {
        _ = Stop(this);
        Start();
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        _ = End(handle);
        NativeMemory.Free((void*)handle);
        return true;
    }

    private void Start()
    {
        if (Init(this, 0, 0) != Ok)
        {
            throw new InsufficientMemoryException("libbz2 could not start a decoder.");
        }
    }

    [LibraryImport(NativeLibraries.Bzip2, EntryPoint = "BZ2_bzDecompressInit")]
    private static partial int Init(Bzip2Decoder stream, int verbosity, int small);

    [LibraryImport(NativeLibraries.Bzip2, EntryPoint = "BZ2_bzDecompress")]
    private static partial int Decompress(Bzip2Decoder stream);

    [LibraryImport(NativeLibraries.Bzip2, EntryPoint = "BZ2_bzDecompressEnd")]
    private static partial int Stop(Bzip2Decoder stream);

    [LibraryImport(NativeLibraries.Bzip2, EntryPoint = "BZ2_bzDecompressEnd")]
    private static partial int End(nint stream);

    /// <summary><c>bz_stream</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct BzStream
    {
        public byte* NextIn;
        public uint AvailableIn;
        public uint TotalInLow;
        public uint TotalInHigh;
        public byte* NextOut;
        public uint AvailableOut;
        public uint TotalOutLow;
        public uint TotalOutHigh;
        public void* State;
        public void* Allocate;
        public void* Free;
        public void* Opaque;
    }
}
