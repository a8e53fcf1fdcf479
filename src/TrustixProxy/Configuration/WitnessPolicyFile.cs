using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Configuration;

/// <summary>Reads files of C2SP's tlog-policy: logs, witnesses, and how many of the witnesses must have seen a log.</summary>
internal static class WitnessPolicyFile
{
    /// <summary>Reads the file that a key names; null, with its fault told, when it cannot be used or demands no cosignature.</summary>
    public static WitnessPolicy? Read(Section section, string key, string path)
    {
        try
        {
            using var file = File.OpenRead(Path.GetFullPath(path));
            var buffer = new byte[WitnessPolicy.MaxSize + 1]; // one more, so that a longer file is refused and not cut
            var size = file.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
            if (WitnessPolicy.TryParse(buffer.AsSpan(0, size), mustDemand: true, out var policy, out var fault))
            {
                return policy;
            }

            section.Fault(key, $"is '{path}', whose {fault}.");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            section.Fault(key, $"is '{path}', which cannot be read: {exception.Message} Give the path of a tlog-policy file.");
        }

        return null;
    }

    /// <summary>Lists what is weaker than it may look in a policy.</summary>
    /// <param name="key">The key that names the file, with the name of its log or server.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="isOfSigsum">Whether it judges Sigsum's proofs.</param>
    public static IEnumerable<string> Warnings(string key, WitnessPolicy policy, bool isOfSigsum = false)
    {
        foreach (var nameless in isOfSigsum ? [] : policy.NamelessWitnesses)
        {
            yield return $"{key}: names the witness '{nameless.Name}' as Sigsum does, by 64 digits, so it counts only in Sigsum's proofs. "
                + "Name it by its verifier key, or set publicKeys if the files are Sigsum's.";
        }

        if (policy.LiarsBorne < 1)
        {
            var harm = policy.LiarsBorne < 0 ? "two histories of the log can each have a quorum although no witness lies"
                : "one lying witness lets the log show two histories, each with a quorum";
            yield return $"{key}: its quorum bears no lying witness: {harm}. Demand more of the witnesses, or add witnesses: 3 of 4 bear "
                + "one that lies.";
        }

        foreach (var ignored in policy.IgnoredWitnesses)
        {
            yield return $"{key}: names the witness '{ignored.Name}' by an ML-DSA key. Such cosignatures are not verified and do not "
                + "count. Name its Ed25519 key, if it has one.";
        }
    }
}
