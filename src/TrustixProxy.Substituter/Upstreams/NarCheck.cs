using System.Security.Cryptography;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Upstreams;

/// <summary>Holds the uncompressed bytes of a NAR against the agreed claim: size, hash and grammar.</summary>
internal sealed class NarCheck(OutputClaim claim) : IDisposable
{
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
        return _reader.Append(bytes) is NarError.None ? null : NarFault.Grammar;
    }

    /// <summary>Says that no more bytes follow.</summary>
    public NarFault? Complete() =>
        _size < claim.NarSize ? NarFault.TooShort
        : NixHash.Sha256(_hash.GetHashAndReset()) != claim.NarHash ? NarFault.NarHash
        : _reader.Complete() is not NarError.None ? NarFault.Grammar
        : null;

    public void Dispose() => _hash.Dispose();
}
