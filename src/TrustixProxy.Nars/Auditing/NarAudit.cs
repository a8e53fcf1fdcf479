using TrustixProxy.Consensus;
using TrustixProxy.Nars.Delivery;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Auditing;

/// <summary>Fetches one NAR, and compares it with all that its narinfo says.</summary>
internal sealed class NarAudit(Upstream cache, AuditDemands demands, ByteRate rate, TimeProvider time)
{
    /// <summary>Judges the signatures. Returns the fault, if there is one.</summary>
    /// <param name="address">The content address that the NAR must have, because no signature vouches for it; null for none.</param>
    public IReadOnlyList<CacheFault> JudgeSignatures(NarInfo narInfo, out ContentAddress? address)
    {
        var isSigned = demands.Keys.IsEmpty || demands.Keys.Any(key => key.FindSignature(narInfo) is not null);
        address = !isSigned && narInfo.ContentAddress is { IsCheckable: true } known && OutputClaim.TryReadContentAddressed(narInfo, out _)
            ? known : null;
        if (isSigned || address is not null)
        {
            return [];
        }

        var names = string.Join(", ", narInfo.Signatures.Select(signature => signature.KeyName));
        return [new CacheFault(CacheFaultKind.Signature, narInfo.GuixSignature is not null ? "signed" // by a key that a foreign text names
            : names.Length is 0 ? "no signature" : $"signed by {names}",
            $"no valid signature by {string.Join(", ", demands.Keys.Select(key => key is NixPublicKey nix ? nix.Name : $"{key}"))}")];
    }

    /// <summary>Returns what does not hold of the NAR.</summary>
    /// <param name="address">The content address that the NAR must have, because no signature vouches for it; null for none.</param>
    /// <exception cref="UpstreamFaultException">The NAR cannot be checked.</exception>
    /// <exception cref="NoNarException">The cache does not give the NAR.</exception>
    /// <exception cref="HttpRequestException">The cache cannot be reached.</exception>
    /// <exception cref="IOException">The NAR broke off.</exception>
    public async Task<IReadOnlyList<CacheFault>> RunAsync(NarInfo narInfo, ContentAddress? address, CancellationToken cancellation)
    {
        if (cache.AddressOf(narInfo) is not { } url)
        {
            return [new CacheFault(CacheFaultKind.Narinfo, $"URL {narInfo.Url}", "an address where this cache may not lead")];
        }

        if (!NarCompression.IsDecodable(narInfo.Compression))
        {
            throw new UpstreamFaultException(UpstreamFailure.UnsupportedCompression, narInfo.Compression);
        }

        var most = NarPump.MostBytes(narInfo.NarSize);
        var candidate = new NarCandidate(cache, narInfo, url, Decompress: false, IsSameFile: true);
        var source = await NarSource.OpenAsync(candidate, most, time, cancellation);
        await using var file = NarCompression.OpenEncoded(source.Encoding, source);
        using var hash = FileTap.Hash(narInfo.FileHash?.Algorithm ?? NixHashAlgorithm.Sha256);
        var tap = new FileTap(file, hash, rate);
        try
        {
            return await CompareAsync(narInfo, address, tap, cancellation);
        }
        catch (NarRefusedException refused) when (refused.Fault is NarFault.TooLong)
        {
            var said = narInfo.FileSize is { } size ? $"{size}" : $"a NAR of {narInfo.NarSize}";
            return [new CacheFault(CacheFaultKind.FileSize, said, $"more than {most}")];
        }
    }

    private async Task<IReadOnlyList<CacheFault>> CompareAsync(
        NarInfo narInfo, ContentAddress? address, FileTap tap, CancellationToken cancellation)
    {
        var content = address is null ? null : new ContentAddressCheck(address, narInfo.StorePath);
        var check = new NarCheck(narInfo.NarHash, narInfo.NarSize, content);
        var scan = new ReferenceScan(
            NarCompression.Open(narInfo.Compression, tap), demands.AreReferencesSought ? narInfo.References : []);
        var fault = await check.TakeAsync(scan, NarCompression.None, cancellation);
        await tap.DrainAsync(cancellation);
        return [.. OfFile(narInfo, tap), .. OfNar(narInfo, check, fault),
            .. fault is not null ? [] : scan.Missing.Select(path =>
                new CacheFault(CacheFaultKind.Reference, $"refers to {path.Absolute}", "not in the NAR"))];
    }

    private static IEnumerable<CacheFault> OfFile(NarInfo narInfo, FileTap tap)
    {
        if (narInfo.FileSize is { } size && tap.IsWhole && size != tap.Count)
        {
            yield return new CacheFault(CacheFaultKind.FileSize, $"{size}", $"{tap.Count}");
        }

        var found = tap.TakeHash();
        if (narInfo.FileHash is { } hash && tap.IsWhole && !hash.Bytes.SequenceEqual(found))
        {
            yield return new CacheFault(CacheFaultKind.FileHash, $"{hash}", $"{hash.AlgorithmName}:{Nix32.Encode(found)}");
        }

        if (narInfo.Compression is not (NarCompression.None or "br")
            && NarCompression.NameOf(tap.Start) is { } name && name != narInfo.Compression)
        {
            yield return new CacheFault(CacheFaultKind.Compression, narInfo.Compression, name);
        }
    }

    private static IEnumerable<CacheFault> OfNar(NarInfo narInfo, NarCheck check, NarFault? fault)
    {
        var kind = fault switch
        {
            null or NarFault.NarHash => (CacheFaultKind?)null,
            NarFault.TooLong or NarFault.TooShort => CacheFaultKind.NarSize,
            NarFault.Compression => CacheFaultKind.Damaged,
            NarFault.ContentAddress => CacheFaultKind.ContentAddress,
            _ => CacheFaultKind.Grammar,
        };
        if (kind is { } other)
        {
            yield return new CacheFault(other, Said(narInfo, other), fault is NarFault.TooLong ? $"more than {narInfo.NarSize}"
                : fault is NarFault.TooShort ? $"{check.Taken}" : fault is NarFault.Compression ? "damaged" : "something else");
        }

        if (check.Sent is { } sent && sent != narInfo.NarHash)
        {
            yield return new CacheFault(CacheFaultKind.NarHash, $"{narInfo.NarHash}", $"{sent}");
        }
    }

    private static string Said(NarInfo narInfo, CacheFaultKind kind) => kind switch
    {
        CacheFaultKind.NarSize => $"{narInfo.NarSize}",
        CacheFaultKind.Damaged => narInfo.Compression,
        CacheFaultKind.ContentAddress => $"{narInfo.ContentAddress}",
        _ => "a NAR",
    };
}
