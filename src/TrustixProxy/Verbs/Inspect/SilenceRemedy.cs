using TrustixProxy.Consensus;

namespace TrustixProxy.Verbs.Inspect;

/// <summary>What to do about an elector that does not vote.</summary>
internal static class SilenceRemedy
{
    /// <summary>The remedy, as a sentence with the key of the configuration that it concerns; null where waiting is the only one.</summary>
    public static string? Of(Answer answer) => answer.Ballot is not Ballot.Silent silent ? null : silent.Reason switch
    {
        SilenceReason.Unreachable or SilenceReason.BreakerOpen =>
            "check its url, this machine's DNS and firewall, and http_proxy; or ask its operator whether it runs.",
        SilenceReason.NoAnswer =>
            "it does not answer in time: check its url and the network, or raise deadline.",
        SilenceReason.Tls => "TLS fails: set caFile or SSL_CERT_FILE to a file with its authority, check its certificate's name and "
            + "dates, this machine's clock, and whether the server speaks TLS at all; if it demands a client certificate, set "
            + "clientCertificateFile.",
        SilenceReason.BadAnswer or SilenceReason.TooLarge or SilenceReason.HeadMalformed => answer.Elector is Elector.Log
            ? "what answers at its url is no Trustix log: check url, also http or https, port and path."
            : "what answers at its url is no such server: check url, also http or https, port and path.",
        SilenceReason.HeadSignature => "its head is signed by another key than publicKey: ask its operator for the log's key.",
        SilenceReason.NoSignature => "none of publicKeys has signed its narinfo: ask its operator for the cache's key.",
        SilenceReason.BadProof => "its proof files do not hold under policyFile: ask its operator for the policy.",
        SilenceReason.NoInclusionProofs => "it gives no inclusion proofs: ask its operator to upgrade, or set inclusionProof to "
            + "\"optional\".",
        SilenceReason.Frozen => "it has contradicted itself: `trustix-proxy logs` names the evidence.",
        SilenceReason.Unwitnessed => "too few of its witnesses have lately seen its head: `trustix-proxy logs` names them; check this "
            + "machine's clock too.",
        _ => null,
    };
}
