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
}
