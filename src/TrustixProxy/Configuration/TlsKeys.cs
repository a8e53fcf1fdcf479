using TrustixProxy.IO.Certificates;
using TrustixProxy.IO.Connecting;

namespace TrustixProxy.Configuration;

/// <summary>Keys <c>clientCertificateFile</c>, <c>clientKeyFile</c> and <c>caFile</c> of a peer that is reached by TLS.</summary>
internal static class TlsKeys
{
    private const string CertificateKey = "clientCertificateFile", PrivateKey = "clientKeyFile", AuthorityKey = "caFile";

    /// <summary>What the keys mean.</summary>
    public static IReadOnlyDictionary<string, KeyMeaning> Meanings { get; } = new Dictionary<string, KeyMeaning>
    {
        [CertificateKey] = new("Our client certificate for TLS with it: PEM, the leaf first, then its issuers. Shown to that host alone.")
        { Type = "path", Default = "none" },
        [PrivateKey] = new("File (mode 0600) with the certificate's private key: PEM, not encrypted.") { Type = "path" },
        [AuthorityKey] = new("Certificates (PEM) of the authorities that alone vouch for it in TLS.")
        { Type = "path", Default = "whom this machine trusts" },
    };

    /// <summary>Reads the keys; null when none is set.</summary>
    /// <param name="url">The address of whom they are for.</param>
    public static PeerTls? Read(Section section, Uri url)
    {
        var (certificate, authorities) = ReadFiles(
            section, url.Scheme is "https" ? null : $"the address '{url}' has no TLS: give an https address");
        return certificate is null && authorities is null ? null : new PeerTls(url, certificate, authorities);
    }

    /// <summary>Reads the files that the keys name.</summary>
    /// <param name="obstacle">Why they have no effect, with a remedy; null when they do.</param>
    public static (TlsCertificate? Certificate, CertificateAuthorities? Authorities) ReadFiles(Section section, string? obstacle)
    {
        var (certificateFile, keyFile, authorityFile) = (
            section.Text(CertificateKey), section.Text(PrivateKey), section.Text(AuthorityKey));
        var first = certificateFile is not null ? CertificateKey : keyFile is not null ? PrivateKey : AuthorityKey;
        if ((certificateFile ?? keyFile ?? authorityFile) is not { } value)
        {
            return default;
        }

        if (obstacle is not null)
        {
            section.Fault(first, $"is '{value}', and {obstacle}, or remove the key.");
            return default;
        }

        return (ReadCertificate(section, certificateFile, keyFile), ReadAuthorities(section, AuthorityKey, authorityFile));
    }

    /// <summary>Reads a file with certificates of authorities; null when there is none, or it is faulty.</summary>
    public static CertificateAuthorities? ReadAuthorities(Section section, string key, string? file)
    {
        if (file is null)
        {
            return null;
        }

        if (!CertificateAuthorities.TryLoad(Path.GetFullPath(file), out var authorities, out var fault))
        {
            section.Fault(key, fault);
        }

        return authorities;
    }

    private static TlsCertificate? ReadCertificate(Section section, string? certificateFile, string? keyFile)
    {
        if (certificateFile is null || keyFile is null)
        {
            if ((certificateFile ?? keyFile) is not null)
            {
                var (missing, other) = certificateFile is null ? (CertificateKey, PrivateKey) : (PrivateKey, CertificateKey);
                section.Fault(missing, $"is missing, and {other} is '{certificateFile ?? keyFile}': set both, or neither.");
            }

            return null;
        }

        if (KeyFile.IsReadByOthers(keyFile))
        {
            section.Fault(PrivateKey, $"is '{keyFile}', which other users can read: chmod 600 it, and get a new certificate if those "
                + "users are not trusted.");
            return null;
        }

        if (!TlsCertificate.TryLoad(Path.GetFullPath(certificateFile), Path.GetFullPath(keyFile), out var certificate, out var fault))
        {
            section.Fault(CertificateKey, fault);
        }

        return certificate;
    }

    /// <summary>What is allowed but does not work any more.</summary>
    /// <param name="name">Whom the keys are for: <c>upstreams: 'corp'</c>.</param>
    public static IEnumerable<string> Warnings(string name, PeerTls? tls)
    {
        if (tls?.Certificate?.ExpiresAt is { } expiry && expiry <= TimeProvider.System.GetUtcNow())
        {
            yield return $"{name} is shown a client certificate that expired at {expiry.UtcDateTime:yyyy-MM-dd HH:mm}Z, and rejects it: "
                + $"renew the one of {CertificateKey}.";
        }
    }
}
