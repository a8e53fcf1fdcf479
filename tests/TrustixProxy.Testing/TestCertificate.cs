using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace TrustixProxy.Testing;

/// <summary>Makes certificates.</summary>
public static class TestCertificate
{
    /// <summary>Writes a certificate and its key into a folder, as PEM.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="name">The host that it is for; also names the files.</param>
    /// <param name="isIssued">Whether one between it and a root signs it, which then follows in the file; else it signs itself.</param>
    public static (string File, string Key) Write(string folder, string name, bool isIssued = false)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var now = TimeProvider.System.GetUtcNow();
        var (from, until) = (now.AddDays(-1), now.AddDays(30));
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var pem = "";
        if (isIssued)
        {
            using var rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            using var root = Authority("CN=Root", rootKey).CreateSelfSigned(from.AddDays(-1), until.AddDays(1));
            using var aboveKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            using var signed = Authority("CN=Above", aboveKey).Create(root, from, until, [1]);
            using var above = signed.CopyWithPrivateKey(aboveKey);
            using var issued = request.Create(above, from, until, [2]);
            pem = $"{issued.ExportCertificatePem()}\n{above.ExportCertificatePem()}\n";
        }
        else
        {
            using var own = request.CreateSelfSigned(from, until);
            pem = own.ExportCertificatePem() + "\n";
        }

        var (file, keyFile) = (Path.Combine(folder, $"{name}.pem"), Path.Combine(folder, $"{name}.key"));
        File.WriteAllText(file, pem);
        File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem() + "\n");
        File.SetUnixFileMode(keyFile, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return (file, keyFile);
    }

    private static CertificateRequest Authority(string name, ECDsa key)
    {
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(
            new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        return request;
    }
}
