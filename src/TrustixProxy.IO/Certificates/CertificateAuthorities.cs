using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace TrustixProxy.IO.Certificates;

/// <summary>Authorities that alone vouch for the certificates of some peers. Two are equal when their certificates are.</summary>
public sealed class CertificateAuthorities : IEquatable<CertificateAuthorities>
{
    /// <summary>What a server's certificate is for. Source: RFC 5280, 4.2.1.12.</summary>
    public const string ServerUsage = "1.3.6.1.5.5.7.3.1";

    /// <summary>What a client's certificate is for.</summary>
    public const string ClientUsage = "1.3.6.1.5.5.7.3.2";

    private readonly X509Certificate2Collection _roots = [], _between = [];
    private readonly string _identity;

    private CertificateAuthorities(X509Certificate2Collection all)
    {
        foreach (var certificate in all)
        {
            (IsRoot(certificate) ? _roots : _between).Add(certificate);
        }

        _identity = string.Join(' ', all.Select(certificate => certificate.GetCertHashString(HashAlgorithmName.SHA256)));
    }

    /// <summary>Reads certificates of authorities, as PEM: at least one root, and intermediate ones where peers do not send them.</summary>
    /// <param name="fault">Reason they are unusable, phrased to follow the key's name.</param>
    public static bool TryLoad(string file, [NotNullWhen(true)] out CertificateAuthorities? authorities, out string fault)
    {
        (authorities, fault) = (null, "");
        try
        {
            var all = new X509Certificate2Collection();
            all.ImportFromPem(PemFile.ReadText(file));
            authorities = new CertificateAuthorities(all);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or CryptographicException)
        {
            fault = $"is '{file}', which cannot be read as certificates: {exception.Message.TrimEnd('.')}. They must be PEM.";
            return false;
        }

        if (authorities._roots.Count is 0)
        {
            (authorities, fault) = (null, $"is '{file}', which has no root certificate: add the authority's own (self-signed), as PEM.");
        }

        return authorities is not null;
    }

    /// <summary>Creates the rules for a chain that must end at one of these. Nothing is fetched for it.</summary>
    /// <param name="usage">What its first certificate must be for.</param>
    public X509ChainPolicy ToPolicy(string usage)
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        policy.CustomTrustStore.AddRange(_roots);
        policy.ExtraStore.AddRange(_between);
        policy.ApplicationPolicy.Add(new Oid(usage));
        return policy;
    }

    /// <summary>Finds the certificates of an authority by the name in what it issued.</summary>
    internal IEnumerable<X509Certificate2> Named(ReadOnlyMemory<byte> name) =>
        _roots.Concat(_between).Where(certificate => certificate.SubjectName.RawData.AsSpan().SequenceEqual(name.Span));

    /// <inheritdoc/>
    public bool Equals(CertificateAuthorities? other) => _identity == other?._identity;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as CertificateAuthorities);

    /// <inheritdoc/>
    public override int GetHashCode() => _identity.GetHashCode(StringComparison.Ordinal);

    private static bool IsRoot(X509Certificate2 certificate) =>
        certificate.SubjectName.RawData.AsSpan().SequenceEqual(certificate.IssuerName.RawData);
}
