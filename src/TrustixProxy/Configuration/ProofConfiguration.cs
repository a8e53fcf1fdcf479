using TrustixProxy.Consensus;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Configuration;

/// <summary>The <c>proofs</c> of a configuration of <c>serve</c>.</summary>
internal static class ProofConfiguration
{
    /// <summary>Reads one.</summary>
    public static ProofOptions Read(Section section)
    {
        var name = section.Name("name", null, "\"alice\"");
        var url = CommonKeys.Url(section, "url", allowUnix: false);
        var policy = WitnessPolicyFile.Read(section, "policyFile");
        if (policy.Quorum is not null && policy.Logs.IsEmpty)
        {
            section.Fault("policyFile", "names no log, so no file could prove anything. Add the line 'log VKEY' with the key of the "
                + "operator's log.");
        }

        return new ProofOptions(new Elector.ProofFiles(name, section.Name("operator", name, ""), policy), url);
    }

    /// <summary>What is allowed but weaker than it may look.</summary>
    public static IEnumerable<string> Warnings(ProofOptions proofs) => WitnessPolicyFile.Warnings(
        $"proofs '{proofs.Elector.Name}'.policyFile", proofs.Elector.Witnesses);
}
