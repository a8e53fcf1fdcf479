using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using TrustixProxy.IO.Certificates;

namespace TrustixProxy.IO.Connecting;

/// <summary>TLS of one peer: who we are to it, and who vouches for it. Equal ones make equal connections.</summary>
/// <param name="Origin">Its address. Only its scheme, host and port count.</param>
/// <param name="Certificate">Our certificate, which only this origin is shown; null for none.</param>
/// <param name="Authorities">Those who alone vouch for this origin. Of other hosts that it leads to they vouch, too, beside those that this
/// machine trusts. Null: those that this machine trusts.</param>
public sealed record PeerTls(Uri Origin, TlsCertificate? Certificate, CertificateAuthorities? Authorities)
{
    /// <summary>Whether a request failed because the peer demands a client certificate, or rejects ours.</summary>
    /// <remarks>OpenSSL names the peer's alert only in its message: <c>tlsv13 alert certificate required</c>, for example.</remarks>
    public static bool IsRefusal(Exception failure)
    {
        for (var inner = failure; inner is not null; inner = inner.InnerException)
        {
            if (inner.Message.Contains(" alert ", StringComparison.Ordinal)
                && (inner.Message.Contains("certificate", StringComparison.Ordinal)
                    || inner.Message.Contains("unknown ca", StringComparison.Ordinal)))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether an address is of the peer itself.</summary>
    internal bool IsOf(Uri address) =>
        Uri.Compare(address, Origin, UriComponents.SchemeAndServer, UriFormat.SafeUnescaped, StringComparison.OrdinalIgnoreCase) is 0;

    /// <summary>Creates the options of connections to the peer itself, or to hosts that it leads to.</summary>
    internal SslClientAuthenticationOptions ToOptions(bool isOwn)
    {
        var options = new SslClientAuthenticationOptions();
        if (isOwn)
        {
            options.ClientCertificateContext = Certificate?.Context;
            options.CertificateChainPolicy = Authorities?.ToPolicy(CertificateAuthorities.ServerUsage);
        }
        else if (Authorities is not null)
        {
            options.RemoteCertificateValidationCallback = (_, certificate, chain, errors) => errors is SslPolicyErrors.None
                || (errors is SslPolicyErrors.RemoteCertificateChainErrors && Vouch(Authorities, (X509Certificate2)certificate!, chain!));
        }

        return options;
    }

    private static bool Vouch(CertificateAuthorities authorities, X509Certificate2 certificate, X509Chain shown)
    {
        using var chain = new X509Chain { ChainPolicy = authorities.ToPolicy(CertificateAuthorities.ServerUsage) };
        chain.ChainPolicy.ExtraStore.AddRange(shown.ChainPolicy.ExtraStore);
        return chain.Build(certificate);
    }
}
