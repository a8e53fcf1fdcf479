using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace TrustixProxy.IO.Certificates;

/// <summary>A TLS certificate with its key and intermediate certificates. Two are equal when certificates and key are.</summary>
public sealed class TlsCertificate : IEquatable<TlsCertificate>
{
    private readonly string _identity;

    private TlsCertificate(SslStreamCertificateContext context, string keyFile, string identity) =>
        (Context, KeyFile, _identity) = (context, keyFile, identity);

    /// <summary>File of its key.</summary>
    public string KeyFile { get; }

    /// <summary>Expiry of the certificate.</summary>
    public DateTimeOffset ExpiresAt => Context.TargetCertificate.NotAfter;

    /// <summary>The certificate as a TLS connection takes it.</summary>
    public SslStreamCertificateContext Context { get; }

    /// <summary>Reads a certificate and its key, as PEM.</summary>
    /// <param name="certificateFile">The leaf certificate first, then its issuers.</param>
    /// <param name="keyFile">The private key, not encrypted.</param>
    /// <param name="certificate">The certificate with its key.</param>
    /// <param name="fault">Reason they are unusable, phrased to follow the key's name.</param>
    public static bool TryLoad(
        string certificateFile, string keyFile, [NotNullWhen(true)] out TlsCertificate? certificate, out string fault)
    {
        (certificate, fault) = (null, "");
        try
        {
            var (text, key) = (PemFile.ReadText(certificateFile), PemFile.ReadText(keyFile));
            var own = X509Certificate2.CreateFromPem(text, key);
            var all = new X509Certificate2Collection();
            all.ImportFromPem(text);
            certificate = new TlsCertificate(SslStreamCertificateContext.Create(own, all, offline: true), keyFile,
                Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"{text}\0{key}"))));
        }
        catch (Exception exception)
            when (exception is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            fault = $"is '{certificateFile}', which is not a usable certificate with the key '{keyFile}': "
                + $"{exception.Message.TrimEnd('.')}. Both must be PEM, the leaf certificate first, and the key its own and not encrypted.";
        }

        return certificate is not null;
    }

    /// <inheritdoc/>
    public bool Equals(TlsCertificate? other) => _identity == other?._identity;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as TlsCertificate);

    /// <inheritdoc/>
    public override int GetHashCode() => _identity.GetHashCode(StringComparison.Ordinal);
}
