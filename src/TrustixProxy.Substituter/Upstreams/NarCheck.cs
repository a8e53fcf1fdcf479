using System.Security.Cryptography;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Upstreams;

/// <summary>Holds the uncompressed bytes of a NAR against the claim: size, hash and grammar; and against the content address where nobody vouches for the claim.</summary>
internal sealed class NarCheck(OutputClaim claim, ContentAddress? mustMatch) : IDisposable
{
    private readonly ContentAddressCheck? _content = mustMatch is null ? null : new ContentAddressCheck(mustMatch, claim.Path);
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly NarReader _reader = new();
    private long _size;

    /// <summary>Takes the next bytes; a fault as soon as there is one.</summary>
    public NarFault? Append(ReadOnlySpan<byte> bytes)
    {
        _size += bytes.Length;
        if (_size > claim.NarSize)
        {
            return NarFault.TooLong;
        }

        _hash.AppendData(bytes);
        _content?.Append(bytes);
        return _reader.Append(bytes) is NarError.None ? null : NarFault.Grammar;
    }

    /// <summary>Says that no more bytes follow.</summary>
    public NarFault? Complete() =>
        _size < claim.NarSize ? NarFault.TooShort
        : NixHash.Sha256(_hash.GetHashAndReset()) != claim.NarHash ? NarFault.NarHash
        : _reader.Complete() is not NarError.None ? NarFault.Grammar
        : _content?.Complete() is false ? NarFault.ContentAddress
        : null;

    public void Dispose()
    {
        _hash.Dispose();
        _content?.Dispose();
    }
}
