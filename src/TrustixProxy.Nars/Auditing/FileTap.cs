using System.Security.Cryptography;
using TrustixProxy.IO.Streams;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Auditing;

/// <summary>Counts and hashes a file while it is read, within a rate. Does not dispose the file.</summary>
/// <param name="file">The file as the narinfo describes it.</param>
/// <param name="hash">Takes all bytes; owned by the caller, who reads it after decoders have disposed this stream.</param>
internal sealed class FileTap(Stream file, IncrementalHash hash, ByteRate rate) : ReadOnlyStream
{
    private readonly byte[] _start = new byte[RecognizingStream.StartSize];

    /// <summary>Number of bytes read.</summary>
    public long Count { get; private set; }

    /// <summary>Whether the file was read to its end.</summary>
    public bool IsWhole { get; private set; }

    /// <summary>The first bytes of the file.</summary>
    public ReadOnlySpan<byte> Start => _start.AsSpan(0, (int)Math.Min(Count, _start.Length));

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = await file.ReadAsync(buffer[..Math.Min(buffer.Length, rate.Piece)], cancellationToken);
        if (read is 0)
        {
            IsWhole = true;
            return 0;
        }

        await rate.TakeAsync(read, cancellationToken);
        var bytes = buffer.Span[..read];
        hash.AppendData(bytes);
        if (Count < _start.Length)
        {
            bytes[..(int)Math.Min(read, _start.Length - Count)].CopyTo(_start.AsSpan((int)Count));
        }

        Count += read;
        return read;
    }

    /// <summary>Reads the rest of the file, up to where its content encoding is damaged.</summary>
    public async Task DrainAsync(CancellationToken cancellation)
    {
        var buffer = new byte[32 << 10];
        try
        {
            while (await ReadAsync(buffer, cancellation) > 0)
            {
            }
        }
        catch (InvalidDataException)
        {
            // The bytes before it are judged; IsWhole stays false, so the file's hash and size are not.
        }
    }

    /// <summary>Returns the hash of all bytes read, and begins anew.</summary>
    public byte[] TakeHash() => hash.GetHashAndReset();

    /// <summary>Creates the hash for a file.</summary>
    public static IncrementalHash Hash(NixHashAlgorithm algorithm) =>
        IncrementalHash.CreateHash(new HashAlgorithmName(algorithm.ToString().ToUpperInvariant()));
}
