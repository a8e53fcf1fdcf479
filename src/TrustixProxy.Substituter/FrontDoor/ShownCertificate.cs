using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Http.Features;

namespace TrustixProxy.Substituter.FrontDoor;

/// <summary>The certificate that a client showed when it connected, and those that it sent with it. It proved that it has the key; nothing
/// else is checked yet.</summary>
/// <remarks>The handshake takes any certificate, so that a request can be answered with what is wrong with it.</remarks>
internal sealed class ShownCertificate
{
    private const int MostBetween = 10, MostBytes = 64 << 10;

    private readonly byte[] _leaf;
    private readonly byte[][] _between;

    private ShownCertificate(byte[] leaf, byte[][] between) => (_leaf, _between) = (leaf, between);

    /// <summary>What was last judged of it, and by whom.</summary>
    public ClientVerdict? Verdict { get; set; }

    /// <summary>Has a connection ask its client for a certificate, and keeps it with the connection.</summary>
    /// <param name="options">The connection's options.</param>
    /// <param name="features">The connection's features.</param>
    public static void Request(SslServerAuthenticationOptions options, IFeatureCollection features)
    {
        options.ClientCertificateRequired = true;
        options.AllowTlsResume = false; // a resumed connection lacks the certificates between
        options.CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true, // a client could make us fetch any address
        };
        options.RemoteCertificateValidationCallback = (_, certificate, chain, _) =>
        {
            if (certificate is not null)
            {
                var between = chain?.ChainPolicy.ExtraStore.Select(issuer => issuer.RawData).Take(MostBetween).ToArray() ?? [];
                features.Set(new ShownCertificate(
                    certificate.GetRawCertData(), between.Sum(issuer => (long)issuer.Length) <= MostBytes ? between : []));
            }

            return true;
        };
    }

    /// <summary>Reads the certificate again.</summary>
    public X509Certificate2 ReadLeaf() => X509CertificateLoader.LoadCertificate(_leaf);

    /// <summary>Reads the certificates that came with it again.</summary>
    public X509Certificate2[] ReadBetween() => [.. _between.Select(X509CertificateLoader.LoadCertificate)];
}
