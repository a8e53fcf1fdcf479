using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using TrustixProxy.IO.Certificates;

namespace TrustixProxy.Substituter.FrontDoor;

/// <summary>What a client's certificate says.</summary>
/// <param name="By">Who judged.</param>
/// <param name="Name">The client's name; null when it is not let in.</param>
/// <param name="Reason">Why it is not; empty when it is.</param>
/// <param name="Until">When it must be judged again.</param>
internal sealed record ClientVerdict(ClientCertificates By, string? Name, string Reason, DateTimeOffset Until);

/// <summary>Lets clients in by TLS certificates of some authorities.</summary>
/// <param name="authorities">Those who issue them.</param>
/// <param name="revoked">Their lists of revoked certificates.</param>
public sealed class ClientCertificates(CertificateAuthorities authorities, ImmutableArray<RevocationList> revoked)
{
    private const string CommonName = "2.5.4.3";
    private const int MostShown = 200;

    /// <summary>When the first of the lists should have been replaced; null when none says so.</summary>
    public DateTimeOffset? NextUpdate => revoked.Min(list => list.NextUpdate);

    /// <summary>Identifies the client of a connection; null if it is not let in.</summary>
    /// <param name="shown">What it showed; null for nothing.</param>
    /// <param name="now">The time.</param>
    /// <param name="reason">Why it is not let in.</param>
    internal string? Find(ShownCertificate? shown, DateTimeOffset now, out string reason)
    {
        if (shown is null)
        {
            reason = "this cache requires a client certificate; Nix sends that of tls-certificate and tls-private-key in the cache's URL";
            return null;
        }

        var verdict = shown.Verdict;
        if (verdict is null || verdict.By != this || now >= verdict.Until)
        {
            shown.Verdict = verdict = Judge(shown, now);
        }

        reason = verdict.Reason;
        return verdict.Name;
    }

    private ClientVerdict Judge(ShownCertificate shown, DateTimeOffset now)
    {
        X509Certificate2[] read = [];
        using var chain = new X509Chain { ChainPolicy = authorities.ToPolicy(CertificateAuthorities.ClientUsage) };
        try
        {
            using var leaf = shown.ReadLeaf();
            read = shown.ReadBetween();
            chain.ChainPolicy.ExtraStore.AddRange(read);
            (chain.ChainPolicy.VerificationTime, chain.ChainPolicy.VerificationTimeIgnored) = (now.UtcDateTime, false);
            var isGood = chain.Build(leaf);
            var reason = isGood ? FaultOf(leaf, chain) : Explain(leaf, chain, now);
            return reason is null
                ? new ClientVerdict(
                    this, NameOf(leaf), "", chain.ChainElements.Min(element => (DateTimeOffset)element.Certificate.NotAfter))
                : new ClientVerdict(this, null, $"the client certificate '{Shown(leaf)}' {reason}", DateTimeOffset.MaxValue);
        }
        catch (CryptographicException)
        {
            return new ClientVerdict(this, null, "the client certificate is not a certificate", DateTimeOffset.MaxValue);
        }
        finally
        {
            Array.ForEach(read, certificate => certificate.Dispose());
        }
    }

    /// <summary>Returns what is wrong with a certificate that the authorities have issued; null for nothing.</summary>
    private string? FaultOf(X509Certificate2 leaf, X509Chain chain) =>
        chain.ChainElements.Any(element => revoked.Any(list => list.Names(element.Certificate))) ? "was revoked by its authority"
        : NameOf(leaf) is null ? "names nobody: it needs a common name (CN), or a DNS name, URI or mail address"
        : null;

    private static string Explain(X509Certificate2 leaf, X509Chain chain, DateTimeOffset now)
    {
        var faults = chain.ChainStatus.Aggregate(X509ChainStatusFlags.NoError, (all, status) => all | status.Status);
        return now > leaf.NotAfter ? $"expired at {leaf.NotAfter.ToUniversalTime():yyyy-MM-dd HH:mm}Z: renew it"
            : now < leaf.NotBefore ? $"is not valid before {leaf.NotBefore.ToUniversalTime():yyyy-MM-dd HH:mm}Z"
            : (faults & (X509ChainStatusFlags.UntrustedRoot | X509ChainStatusFlags.PartialChain)) is not 0
                ? "is of an authority that this cache does not accept, or lacks the certificates between"
            : faults.HasFlag(X509ChainStatusFlags.NotValidForUsage) ? "is not for clients: its extended key usage lacks clientAuth"
            : faults.HasFlag(X509ChainStatusFlags.NotTimeValid) ? "has an expired authority above it"
            : $"is not valid ({faults})";
    }

    /// <summary>Returns the name that a certificate gives its client: the common name, else another.</summary>
    private static string? NameOf(X509Certificate2 certificate)
    {
        var common = certificate.SubjectName.EnumerateRelativeDistinguishedNames()
            .Where(part => !part.HasMultipleElements && part.GetSingleElementType().Value is CommonName)
            .Select(part => part.GetSingleElementValue()).FirstOrDefault(name => !string.IsNullOrEmpty(name));
        return common ?? new[] { X509NameType.DnsName, X509NameType.UrlName, X509NameType.EmailName }
            .Select(kind => certificate.GetNameInfo(kind, forIssuer: false)).FirstOrDefault(name => name.Length > 0);
    }

    private static string Shown(X509Certificate2 certificate)
    {
        var name = NameOf(certificate) ?? $"serial {certificate.SerialNumber}";
        return new string([.. name.Take(MostShown).Select(letter => letter is < ' ' or > '~' ? '?' : letter)]);
    }
}
