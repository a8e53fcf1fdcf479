using System.Buffers;
using System.Security.Cryptography;
using TrustixProxy.Consensus;
using TrustixProxy.Native;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars;

/// <summary>Holds the uncompressed bytes of a NAR against the claim: size, hash and grammar; and against the content address where nobody
/// vouches for the claim.</summary>
/// <param name="narHash">SHA-256 that it must have.</param>
/// <param name="narSize">How many bytes it must have.</param>
/// <param name="content">What looks at its content; null when somebody vouches for it.</param>
internal sealed class NarCheck(NixHash narHash, long narSize, ContentAddressCheck? content = null) : IDisposable
{
    private const int BufferSize = 128 << 10;

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly NarReader _reader = new(allowsCaseHack: content is null);
    private Stream? _decoded;

    /// <summary>How many bytes the NAR must have.</summary>
    public long NarSize => narSize;

    /// <summary>How many bytes were taken.</summary>
    public long Taken { get; private set; }

    /// <summary>The hash of what came, once it has come to its end; null before.</summary>
    public NixHash? Sent { get; private set; }

    /// <summary>Whether the decoder holds back no output of what it has read.</summary>
    public bool IsDrained => _decoded is not (DecodingStream { IsDrained: false } or RecognizingStream { IsDrained: false });

    /// <summary>The check of a claim.</summary>
    /// <param name="claim">What was agreed on.</param>
    /// <param name="mustMatch">The content address that the NAR must have; null when the claim is vouched for.</param>
    public NarCheck(OutputClaim claim, ContentAddress? mustMatch)
        : this(claim.NarHash, claim.NarSize, mustMatch is null ? null : new ContentAddressCheck(mustMatch, claim.Path))
    {
    }

    /// <summary>Takes the next bytes; a fault as soon as there is one.</summary>
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

    /// <summary>Says that no more bytes follow.</summary>
    public NarFault? Complete()
    {
        Sent = NixHash.Sha256(_hash.GetHashAndReset());
        return Taken < narSize ? NarFault.TooShort
            : Sent != narHash ? NarFault.NarHash
            : _reader.Complete() is not NarError.None ? NarFault.Grammar
            : content?.Complete() is false ? NarFault.ContentAddress
            : null;
    }

    /// <summary>Takes all of a stream, and closes it and this check.</summary>
    /// <param name="compressed">The NAR as it is stored or sent.</param>
    /// <param name="compression">How it is compressed.</param>
    /// <param name="cancellation">Ends it.</param>
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
