using TrustixProxy.Substituter.Listening;
using TrustixProxy.Substituter.Operations;

namespace TrustixProxy.Configuration;

/// <summary>The part of <c>serve</c>'s configuration that says how clients come in.</summary>
internal static class ClientConfiguration
{
    /// <summary>Section <c>tls</c>: needed where an address is https.</summary>
    public static TlsCertificate? ReadCertificate(Section section, IReadOnlyList<string> listen)
    {
        var tls = section.Object("tls");
        var isThere = section.Has("tls");
        if (!isThere)
        {
            if (listen.FirstOrDefault(address => address.StartsWith("https:", StringComparison.Ordinal)) is { } secure)
            {
                section.Fault("tls", $"is missing, and listen has '{secure}'. Name the certificate and its key: {{\"certificateFile\": \"/etc/trustix/tls.pem\", \"keyFile\": \"/etc/trustix/tls.key\"}}.");
            }

            return null;
        }

        var certificateFile = tls.Required("certificateFile", "/etc/trustix/tls.pem");
        var keyFile = tls.Required("keyFile", "/etc/trustix/tls.key");
        if (certificateFile.Length is 0 || keyFile.Length is 0)
        {
            return null;
        }

        if (!TlsCertificate.TryLoad(Path.GetFullPath(certificateFile), Path.GetFullPath(keyFile), out var certificate, out var fault))
        {
            tls.Fault("certificateFile", fault);
        }

        return certificate;
    }

    /// <summary>What is allowed but weaker than it may look.</summary>
    public static IEnumerable<string> Warnings(SubstituterOptions options)
    {
        if (options.Certificate is not { } certificate)
        {
            yield break;
        }

        if (File.Exists(certificate.KeyFile) && (File.GetUnixFileMode(certificate.KeyFile) & UnixFileMode.OtherRead) is not 0)
        {
            yield return $"tls.keyFile: '{certificate.KeyFile}' may be read by everyone on this machine: chmod 640 it, and if they are not trusted get a new certificate.";
        }

        if (certificate.ExpiresAt <= TimeProvider.System.GetUtcNow())
        {
            yield return $"tls.certificateFile: the certificate has expired at {certificate.ExpiresAt.UtcDateTime:yyyy-MM-dd HH:mm}Z: clients refuse it.";
        }

        if (!options.Listen.Any(address => address.StartsWith("https:", StringComparison.Ordinal)))
        {
            yield return "tls: no address in listen begins with https://, so only sockets that systemd passes speak TLS.";
        }
    }
}
