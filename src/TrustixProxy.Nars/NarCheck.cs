using System.Buffers;
using System.Security.Cryptography;
using TrustixProxy.Consensus;
using TrustixProxy.Native;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars;

/// <summary>Checks uncompressed NAR bytes against the claim: size, hash and grammar. Where no elector vouches for the claim, also the
/// content address.</summary>
/// <param name="narHash">SHA-256 the NAR must have.</param>
/// <param name="narSize">Size in bytes the NAR must have.</param>
/// <param name="content">Checks the content address; null when an elector vouches for the claim.</param>
internal sealed class NarCheck(NixHash narHash, long narSize, ContentAddressCheck? content = null) : IDisposable
{
    private const int BufferSize = 128 << 10;

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly NarReader _reader = new(allowsCaseHack: content is null);
    private Stream? _decoded;

    /// <summary>Size in bytes the NAR must have.</summary>
    public long NarSize => narSize;

    /// <summary>Number of bytes checked.</summary>
    public long Taken { get; private set; }

    /// <summary>The hash of the bytes received, once they have ended; null before.</summary>
    public NixHash? Sent { get; private set; }

    /// <summary>Whether the decoder has delivered all output of the input it read.</summary>
    public bool IsDrained => _decoded is not (DecodingStream { IsDrained: false } or RecognizingStream { IsDrained: false });

    /// <summary>Creates the check of a claim.</summary>
    /// <param name="mustMatch">The content address the NAR must have; null when the claim is vouched for.</param>
    public NarCheck(OutputClaim claim, ContentAddress? mustMatch)
        : this(claim.NarHash, claim.NarSize, mustMatch is null ? null : new ContentAddressCheck(mustMatch, claim.Path))
    {
    }

    /// <summary>Checks the next bytes; returns the first fault.</summary>
    public NarFault? Append(ReadOnlySpan<byte> bytes)
    {
        Taken += bytes.Length;
        if (Taken > narSize)
        {
            return NarFault.TooLong;
        }

        _hash.AppendData(bytes);
        content?.Append(bytes);
        return _reader.Append(bytes) is NarError.None ? null : NarFault.Grammar;
    }

    /// <summary>Ends the NAR; returns the fault, if any.</summary>
    public NarFault? Complete()
    {
        Sent = NixHash.Sha256(_hash.GetHashAndReset());
        return Taken < narSize ? NarFault.TooShort
            : Sent != narHash ? NarFault.NarHash
            : _reader.Complete() is not NarError.None ? NarFault.Grammar
            : content?.Complete() is false ? NarFault.ContentAddress
            : null;
    }

    /// <summary>Checks a whole stream, and disposes it and this check.</summary>
    /// <param name="compressed">The NAR as it is stored or sent.</param>
    /// <param name="compression">The stream's compression.</param>
    public async Task<NarFault?> TakeAsync(Stream compressed, string compression, CancellationToken cancellation)
    {
        using var owned = this;
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            await using var decoded = NarCompression.Open(compression, compressed);
            _decoded = decoded;
            while (await decoded.ReadAsync(buffer, cancellation) is var read and > 0)
            {
                if (Append(buffer.AsSpan(0, read)) is { } fault)
                {
                    return fault;
                }
            }

            return Complete();
        }
        catch (InvalidDataException)
        {
            return NarFault.Compression;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public void Dispose()
    {
        _hash.Dispose();
        content?.Dispose();
    }
}
