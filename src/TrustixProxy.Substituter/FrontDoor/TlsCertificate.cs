using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace TrustixProxy.Substituter.FrontDoor;

/// <summary>The proxy's TLS certificate with its key and intermediate certificates.</summary>
public sealed class TlsCertificate
{
    private TlsCertificate(SslStreamCertificateContext context, string keyFile) => (Context, KeyFile) = (context, keyFile);

    /// <summary>File of its key.</summary>
    public string KeyFile { get; }

    /// <summary>Expiry of the certificate.</summary>
    public DateTimeOffset ExpiresAt => Context.TargetCertificate.NotAfter;

    internal SslStreamCertificateContext Context { get; }

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
            var text = Read(certificateFile);
            var own = X509Certificate2.CreateFromPem(text, Read(keyFile));
            var all = new X509Certificate2Collection();
            all.ImportFromPem(text);
            certificate = new TlsCertificate(SslStreamCertificateContext.Create(own, all, offline: true), keyFile);
        }
        catch (Exception exception)
            when (exception is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            fault = $"is '{certificateFile}', which is not a usable certificate with the key '{keyFile}': "
                + $"{exception.Message.TrimEnd('.')}. Both must be PEM, the leaf certificate first.";
        }

        return certificate is not null;
    }

    /// <summary>Reads at most 1 MiB of a file, because devices never end.</summary>
    private static string Read(string file)
    {
        using var stream = File.OpenRead(file);
        var buffer = new byte[1 << 20];
        return Encoding.UTF8.GetString(buffer, 0, stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false));
    }
}
