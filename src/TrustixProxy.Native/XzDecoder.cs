using System.Runtime.InteropServices;

namespace TrustixProxy.Native;

/// <summary>The container of an LZMA stream.</summary>
public enum LzmaContainer
{
    /// <summary><c>.xz</c>.</summary>
    Xz,

    /// <summary><c>.lzma</c>: one stream without a checksum.</summary>
    Lzma,

    /// <summary><c>.lz</c>.</summary>
    Lzip,
}

/// <summary>Decodes <c>.xz</c>, <c>.lzma</c> and <c>.lz</c> with liblzma (<c>lzma/container.h</c>).</summary>
public sealed unsafe partial class XzDecoder : Decoder
{
    private const string LzipEntry = "lzma_lzip_decoder";
    private const int Ok = 0, StreamEnd = 1, NoCheck = 2, UnsupportedCheck = 3, BufferError = 10;

    private readonly LzmaContainer _container;

    static XzDecoder() => NativeLibraries.Register();

    /// <summary>Creates a decoder.</summary>
    /// <exception cref="InvalidDataException">The machine's liblzma cannot decode this container.</exception>
    public XzDecoder(LzmaContainer container = LzmaContainer.Xz)
    {
        if (container is LzmaContainer.Lzip && !HasLzip)
        {
            throw new InvalidDataException("The file is in lzip, which needs liblzma 5.4 or later.");
        }

        _container = container;
        SetHandle((nint)NativeMemory.AllocZeroed((nuint)sizeof(LzmaStream)));
        RestartCore();
    }

    /// <summary>Whether the machine's liblzma decodes lzip.</summary>
    public static bool HasLzip { get; } = NativeLibrary.TryGetExport(NativeLibraries.Open(NativeLibraries.Lzma), LzipEntry, out _);

    internal override int PaddingUnit => _container is LzmaContainer.Xz ? 4 : 0; // "Stream Padding" of the .xz file format, section 2.2

    internal override int StartSize => _container is LzmaContainer.Lzip ? 6 : 1;

    internal override bool BeginsStream(ReadOnlySpan<byte> next) => _container switch
    {
        LzmaContainer.Lzma => false,
        LzmaContainer.Lzip => next is [(byte)'L', (byte)'Z', (byte)'I', (byte)'P', 0 or 1, _, ..],
        _ => true,
    };

    private protected override DecodeStatus DecodeCore(
        ReadOnlySpan<byte> source, Span<byte> destination, out int consumed, out int written)
    {
        var stream = (LzmaStream*)handle;
        fixed (byte* input = source, output = destination)
        {
            stream->NextIn = input;
            stream->AvailableIn = (nuint)source.Length;
            stream->NextOut = output;
            stream->AvailableOut = (nuint)destination.Length;
            var result = Code(this, 0);
            consumed = source.Length - (int)stream->AvailableIn;
            written = destination.Length - (int)stream->AvailableOut;
            return result switch
            {
                Ok or NoCheck or UnsupportedCheck or BufferError => DecodeStatus.More,
                StreamEnd => DecodeStatus.End,
                _ => DecodeStatus.Malformed,
            };
        }
    }

    private protected override void RestartCore()
    {
        const ulong memoryLimit = MaxWindow + (4 << 20); // the dictionary, and liblzma's own tables
        var result = _container switch
        {
            LzmaContainer.Lzma => AloneDecoder(this, memoryLimit),
            LzmaContainer.Lzip => LzipDecoder(this, memoryLimit, 0),
            _ => StreamDecoder(this, memoryLimit, 0),
        };
        if (result != Ok)
        {
            throw new InsufficientMemoryException("liblzma could not start a decoder.");
        }
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        End(handle);
        NativeMemory.Free((void*)handle);
        return true;
    }

    [LibraryImport(NativeLibraries.Lzma, EntryPoint = "lzma_stream_decoder")]
    private static partial int StreamDecoder(XzDecoder stream, ulong memoryLimit, uint flags);

    [LibraryImport(NativeLibraries.Lzma, EntryPoint = "lzma_alone_decoder")]
    private static partial int AloneDecoder(XzDecoder stream, ulong memoryLimit);

    [LibraryImport(NativeLibraries.Lzma, EntryPoint = LzipEntry)]
    private static partial int LzipDecoder(XzDecoder stream, ulong memoryLimit, uint flags);

    [LibraryImport(NativeLibraries.Lzma, EntryPoint = "lzma_code")]
    private static partial int Code(XzDecoder stream, int action);

    [LibraryImport(NativeLibraries.Lzma, EntryPoint = "lzma_end")]
    private static partial void End(nint stream);

    /// <summary><c>lzma_stream</c> of <c>lzma/base.h</c>, ABI 5.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct LzmaStream
    {
        public byte* NextIn;
        public nuint AvailableIn;
        public ulong TotalIn;
        public byte* NextOut;
        public nuint AvailableOut;
        public ulong TotalOut;
        public void* Allocator;
        public void* Internal;
        public fixed ulong Reserved[9]; // 4 pointers, 2 integers, 2 sizes and 2 enums, reserved by liblzma
    }
}
