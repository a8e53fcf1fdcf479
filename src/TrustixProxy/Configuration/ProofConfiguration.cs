using System.Collections.Immutable;
using TrustixProxy.Consensus;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Configuration;

/// <summary>The <c>proofs</c> of a configuration of <c>serve</c>.</summary>
internal static class ProofConfiguration
{
    private const string PolicyKey = "policyFile";

    /// <summary>Stands for a policy that could not be read; its fault was told.</summary>
    private static readonly WitnessPolicy Unread = WitnessPolicy.TryParse("quorum none\n"u8, mustDemand: false, out var none, out _)
        ? none : throw new System.Diagnostics.UnreachableException();

    /// <summary>Reads one.</summary>
    public static ProofOptions Read(Section section)
    {
        var name = section.Name("name", null, "\"alice\"");
        var url = CommonKeys.Url(section, "url", allowUnix: false);
        var path = section.Required(PolicyKey, "\"/etc/trustix/alice.tlog-policy\"");
        var policy = path.Length is 0 ? null : WitnessPolicyFile.Read(section, PolicyKey, path);
        if (policy is { Logs.IsEmpty: true })
        {
            section.Fault(PolicyKey, $"is '{path}', which names no log, so no file could prove anything. Add the line 'log VKEY' with the "
                + "key of the operator's log.");
        }

        var elector = new Elector.ProofFiles(name, section.Name("operator", name, ""), policy ?? Unread)
        {
            Submitters = ReadKeys(section),
            Tags = CommonKeys.Tags(section),
        };
        return new ProofOptions(elector, url) { Tls = TlsKeys.Read(section, url) };
    }

    /// <summary>Reads the keys of those who sign for a log of Sigsum.</summary>
    private static ImmutableArray<SigsumKey> ReadKeys(Section section)
    {
        const string name = "publicKeys";
        var keys = ImmutableArray.CreateBuilder<SigsumKey>();
        foreach (var text in section.Texts(name))
        {
            if (!SigsumKey.TryParse(text.Trim(), out var key))
            {
                section.Fault(name, $"has '{text}', which is not a usable Ed25519 key. Copy the line \"ssh-ed25519 …\" of the public key "
                    + "file that sigsum-key has written, or its 64 hexadecimal digits.");
            }
            else if (keys.Contains(key))
            {
                section.Fault(name, $"has the key '{key}' twice; remove one.");
            }
            else
            {
                keys.Add(key);
            }
        }

        return keys.ToImmutable();
    }
}
