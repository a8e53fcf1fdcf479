using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace TrustixProxy.IO.Certificates;

/// <summary>Certificates that their authority has revoked, under its signature. Source: RFC 5280, 5.</summary>
public sealed class RevocationList
{
    private const string DeltaIndicator = "2.5.29.27", Label = "X509 CRL";

    private readonly ReadOnlyMemory<byte> _issuer;
    private readonly HashSet<string> _serials;

    private RevocationList(ReadOnlyMemory<byte> issuer, DateTimeOffset? nextUpdate, HashSet<string> serials) =>
        (_issuer, NextUpdate, _serials) = (issuer, nextUpdate, serials);

    /// <summary>When the authority promised a newer list; null without a promise.</summary>
    public DateTimeOffset? NextUpdate { get; }

    /// <summary>Whether it names a certificate. It never names one of another authority.</summary>
    public bool Names(X509Certificate2 certificate) => certificate.IssuerName.RawData.AsSpan().SequenceEqual(_issuer.Span)
        && _serials.Contains(Convert.ToHexString(certificate.SerialNumberBytes.Span));

    /// <summary>Reads the lists of a file: PEM, any number; or DER, one.</summary>
    /// <param name="authorities">Those who may have signed them.</param>
    /// <param name="lists">The lists; at least one.</param>
    /// <param name="fault">Reason they are unusable, phrased to follow the key's name.</param>
    public static bool TryLoad(
        string file, CertificateAuthorities authorities, out IReadOnlyList<RevocationList> lists, out string fault)
    {
        (lists, fault) = ([], "");
        try
        {
            lists = [.. Split(PemFile.Read(file)).Select(list => Read(list, authorities))];
            fault = lists.Count > 0 ? "" : $"is '{file}', which holds no revocation list (CRL) as PEM or DER.";
        }
        catch (Exception exception)
            when (exception is IOException or UnauthorizedAccessException or CryptographicException or AsnContentException
                or FormatException)
        {
            fault = $"is '{file}', which is not a usable revocation list (CRL): {exception.Message.TrimEnd('.')}. Take the one that the "
                + "authority publishes, as PEM or DER.";
        }

        return lists.Count > 0;
    }

    private static List<byte[]> Split(byte[] file)
    {
        if (file is [0x30, ..])
        {
            return [file];
        }

        var (text, lists) = (System.Text.Encoding.ASCII.GetString(file), new List<byte[]>());
        for (var rest = text.AsSpan(); PemEncoding.TryFind(rest, out var fields); rest = rest[fields.Location.End..])
        {
            if (rest[fields.Label] is Label)
            {
                lists.Add(Convert.FromBase64String(rest[fields.Base64Data].ToString()));
            }
        }

        return lists;
    }

    /// <exception cref="CryptographicException">None of the authorities has signed it.</exception>
    private static RevocationList Read(byte[] list, CertificateAuthorities authorities)
    {
        var whole = new AsnReader(list, AsnEncodingRules.DER);
        var parts = whole.ReadSequence();
        var signed = parts.ReadEncodedValue();
        var algorithm = parts.ReadSequence().ReadObjectIdentifier();
        var signature = parts.ReadBitString(out _);
        whole.ThrowIfNotEmpty();
        var read = ReadSigned(new AsnReader(signed, AsnEncodingRules.DER).ReadSequence());
        var issuers = authorities.Named(read._issuer).ToList();
        return issuers.Count is 0
            ? throw new CryptographicException(
                $"its issuer '{new X500DistinguishedName(read._issuer.Span).Name}' is none of the authorities: add that one's certificate")
            : issuers.Exists(issuer => IsSigned(issuer, algorithm, signed.Span, signature)) ? read
            : throw new CryptographicException(
                $"its signature ({algorithm}) is not by '{issuers[0].Subject}', or of a kind that is not verified");
    }

    private static RevocationList ReadSigned(AsnReader fields)
    {
        if (fields.PeekTag().HasSameClassAndValue(Asn1Tag.Integer))
        {
            fields.ReadInteger(); // the version
        }

        fields.ReadSequence(); // the algorithm, again
        var issuer = fields.ReadEncodedValue();
        ReadTime(fields);
        DateTimeOffset? nextUpdate = IsTime(fields) ? ReadTime(fields) : null;
        var serials = new HashSet<string>();
        if (fields.HasData && fields.PeekTag().HasSameClassAndValue(Asn1Tag.Sequence))
        {
            for (var entries = fields.ReadSequence(); entries.HasData;)
            {
                serials.Add(Convert.ToHexString(entries.ReadSequence().ReadIntegerBytes().Span));
            }
        }

        if (fields.HasData)
        {
            RefuseDelta(fields.ReadSequence(new Asn1Tag(TagClass.ContextSpecific, 0)).ReadSequence());
        }

        return new RevocationList(issuer, nextUpdate, serials);
    }

    private static void RefuseDelta(AsnReader extensions)
    {
        while (extensions.HasData)
        {
            if (extensions.ReadSequence().ReadObjectIdentifier() is DeltaIndicator)
            {
                throw new CryptographicException("it has only what changed since another list: take the authority's full list");
            }
        }
    }

    private static bool IsTime(AsnReader reader) => reader.HasData
        && (reader.PeekTag().HasSameClassAndValue(Asn1Tag.UtcTime) || reader.PeekTag().HasSameClassAndValue(Asn1Tag.GeneralizedTime));

    private static DateTimeOffset ReadTime(AsnReader reader) =>
        reader.PeekTag().HasSameClassAndValue(Asn1Tag.UtcTime) ? reader.ReadUtcTime() : reader.ReadGeneralizedTime();

    /// <summary>Whether an authority has signed bytes by RSA (PKCS #1) or ECDSA with SHA-2. Source: RFC 4055, RFC 5758.</summary>
    private static bool IsSigned(X509Certificate2 authority, string algorithm, ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        HashAlgorithmName? hash = algorithm switch
        {
            "1.2.840.113549.1.1.11" or "1.2.840.10045.4.3.2" => HashAlgorithmName.SHA256,
            "1.2.840.113549.1.1.12" or "1.2.840.10045.4.3.3" => HashAlgorithmName.SHA384,
            "1.2.840.113549.1.1.13" or "1.2.840.10045.4.3.4" => HashAlgorithmName.SHA512,
            _ => null,
        };
        if (hash is not { } name)
        {
            return false;
        }

        using var rsa = authority.GetRSAPublicKey();
        using var ecdsa = authority.GetECDsaPublicKey();
        return algorithm.StartsWith("1.2.840.113549.", StringComparison.Ordinal)
            ? rsa?.VerifyData(data, signature, name, RSASignaturePadding.Pkcs1) is true
            : ecdsa?.VerifyData(data, signature, name, DSASignatureFormat.Rfc3279DerSequence) is true;
    }
}
