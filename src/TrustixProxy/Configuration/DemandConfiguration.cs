using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Configuration;

/// <summary>Reads which witnesses must have seen a log's heads: <c>origin</c>, <c>witnesses</c> and <c>witnessedWithin</c>.</summary>
internal static class DemandConfiguration
{
    private static readonly TimeSpan Within = TimeSpan.FromDays(1), MinWithin = TimeSpan.FromMinutes(1), MaxWithin = TimeSpan.FromDays(365);

    /// <summary>Reads the demand of one log; null when it makes none, or a faulty one.</summary>
    /// <param name="section">The log.</param>
    /// <param name="key">The log's key; null when that is faulty.</param>
    public static WitnessDemand? Read(Section section, LogKey? key)
    {
        var (origin, path) = (section.Text("origin"), section.Text("witnesses"));
        var within = section.Time("witnessedWithin", Within, MinWithin, MaxWithin);
        if (path is null && section.Has("origin") && !section.IsDescribed)
        {
            section.Fault("witnesses", "is missing, but 'origin' is set. Set it to the path of a tlog-policy file, or remove 'origin'.");
        }

        if (origin is null && section.Has("witnesses") && !section.IsDescribed)
        {
            section.Fault("origin", "is missing, but 'witnesses' is set. Set it to the origin that the log's operator publishes, for "
                + "example \"log.alice.example/nix\".");
        }

        if (path is null && section.Has("witnessedWithin") && !section.IsDescribed)
        {
            section.Fault("witnessedWithin", "is set, but 'witnesses' is not. Set both, or remove it.");
        }

        if (origin is not null && !VerifierKey.IsName(origin))
        {
            section.Fault("origin", $"is '{origin}'; it must be the log's origin, a text without spaces and plus signs.");
            return null;
        }

        var policy = path is null ? null : WitnessPolicyFile.Read(section, "witnesses", path);
        return policy is not null && origin is not null && key is not null ? new WitnessDemand(origin, key, policy, within) : null;
    }
}
