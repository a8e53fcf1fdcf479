using System.Numerics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace TrustixProxy.Testing;

/// <summary>An authority that issues certificates and revokes them; its files are in a folder of the test's.</summary>
public sealed class TestAuthority : IDisposable
{
    /// <summary>Extended key usages.</summary>
    public const string Server = "1.3.6.1.5.5.7.3.1", Client = "1.3.6.1.5.5.7.3.2";

    private readonly string _folder;
    private readonly X509Certificate2 _own;
    private readonly Dictionary<string, byte[]> _serials = [];
    private readonly CertificateRevocationListBuilder _revoked = new();
    private int _number;

    /// <param name="folder">The folder.</param>
    /// <param name="name">Its name; also names its files.</param>
    public TestAuthority(string folder, string name = "ca")
    {
        (_folder, File) = (folder, Path.Combine(folder, $"{name}.pem"));
        var request = Request($"CN={name}", out var key);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        _own = request.CreateSelfSigned(Now.AddDays(-9), Now.AddDays(90));
        key.Dispose();
        System.IO.File.WriteAllText(File, _own.ExportCertificatePem() + "\n");
    }

    /// <summary>Its certificate.</summary>
    public string File { get; }

    /// <summary>Its revocation list; there once <see cref="Revoke"/> was called.</summary>
    public string ListFile => Path.ChangeExtension(File, ".crl");

    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    /// <summary>Issues a certificate; writes it and its key (0600), over older files of that name.</summary>
    /// <param name="file">Names the files.</param>
    /// <param name="subject">Its subject; <c>CN=</c> and the files' name when null.</param>
    /// <param name="usage">What it is for; anything when null.</param>
    /// <param name="until">Its expiry; in 30 days when null.</param>
    /// <param name="names">Its alternative names; localhost and 127.0.0.1 when null.</param>
    public (string File, string Key) Issue(string file, string? subject = null, string? usage = null, DateTimeOffset? until = null,
        Action<SubjectAlternativeNameBuilder>? names = null)
    {
        var request = Request(subject ?? $"CN={file}", out var key);
        var alternative = new SubjectAlternativeNameBuilder();
        (names ?? AddLoopback)(alternative);
        request.CertificateExtensions.Add(alternative.Build());
        if (usage is not null)
        {
            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], critical: false));
        }

        _serials[file] = [1, .. RandomNumberGenerator.GetBytes(8)];
        using var issued = request.Create(_own, Now.AddDays(-8), until ?? Now.AddDays(30), _serials[file]);
        var (path, keyPath) = (Path.Combine(_folder, $"{file}.pem"), Path.Combine(_folder, $"{file}.key"));
        System.IO.File.WriteAllText(path, issued.ExportCertificatePem() + "\n");
        System.IO.File.WriteAllText(keyPath, key.ExportPkcs8PrivateKeyPem() + "\n");
        System.IO.File.SetUnixFileMode(keyPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        key.Dispose();
        return (path, keyPath);
    }

    /// <summary>Revokes certificates, beside those that were revoked before, and writes the list.</summary>
    /// <param name="files">Their files' names; none for a list as it was.</param>
    /// <param name="nextUpdate">When it promises a newer list; in a day when null.</param>
    /// <param name="isDer">Whether the file is DER.</param>
    public string Revoke(IEnumerable<string> files, DateTimeOffset? nextUpdate = null, bool isDer = false)
    {
        foreach (var file in files)
        {
            _revoked.AddEntry(_serials[file]);
        }

        var list = _revoked.Build(_own, new BigInteger(++_number), nextUpdate ?? Now.AddDays(1), HashAlgorithmName.SHA256,
            thisUpdate: Now.AddDays(-8));
        System.IO.File.WriteAllBytes(
            ListFile, isDer ? list : System.Text.Encoding.ASCII.GetBytes(PemEncoding.WriteString("X509 CRL", list) + "\n"));
        return ListFile;
    }

    public void Dispose() => _own.Dispose();

    private static void AddLoopback(SubjectAlternativeNameBuilder names)
    {
        names.AddDnsName("localhost");
        names.AddIpAddress(System.Net.IPAddress.Loopback);
    }

    private static CertificateRequest Request(string subject, out ECDsa key)
    {
        key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
    }
}
