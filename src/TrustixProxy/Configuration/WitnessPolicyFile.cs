using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Configuration;

/// <summary>Reads files of C2SP's tlog-policy: logs, witnesses, and how many of the witnesses must have seen a log.</summary>
internal static class WitnessPolicyFile
{
    /// <summary>Stands for a policy that could not be read; its fault was told.</summary>
    private static readonly WitnessPolicy Unread = WitnessPolicy.TryParse("quorum none\n"u8, mustDemand: false, out var none, out _)
        ? none : throw new System.Diagnostics.UnreachableException();

    /// <summary>Reads the file that a key names. A policy without a quorum is refused.</summary>
    public static WitnessPolicy Read(Section section, string key)
    {
        var path = section.Required(key, "\"alice.tlog-policy\"");
        if (path.Length is 0)
        {
            return Unread;
        }

        try
        {
            using var file = File.OpenRead(Path.GetFullPath(path));
            var bytes = new byte[WitnessPolicy.MaxSize + 1];
            var length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (WitnessPolicy.TryParse(bytes.AsSpan(0, length), mustDemand: true, out var policy, out var fault))
            {
                return policy;
            }

            section.Fault(key, $"is '{path}', {fault}.");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            section.Fault(key, $"is '{path}', which cannot be read: {exception.Message.TrimEnd('.')}. Name a file of lines log, witness, "
                + "group and quorum.");
        }

        return Unread;
    }

    /// <summary>What is allowed but weaker than it may look.</summary>
    /// <param name="key">The key that names the file.</param>
    public static IEnumerable<string> Warnings(string key, WitnessPolicy policy)
    {
        if (policy.LiarsBorne < 1)
        {
            yield return $"{key}: its quorum bears no lying witness: two histories of a log can each reach it"
                + (policy.LiarsBorne < 0 ? " without any lie. " : " if one witness lies. ")
                + "Demand 3 of 4 witnesses, or 4 of 5.";
        }
    }
}
