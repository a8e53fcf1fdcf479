using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Configuration;

/// <summary>When readers see a head of a log with witnesses.</summary>
internal enum HeadPublication
{
    /// <summary>Once it has its quorum of cosignatures.</summary>
    Witnessed,

    /// <summary>At once; cosignatures are added when they come.</summary>
    Always,
}

/// <summary>Reads who cosigns a log's heads: <c>witnesses</c> of <c>log serve</c>.</summary>
internal static class CosigningConfiguration
{
    private const string Key = "witnesses";

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10), MinInterval = TimeSpan.FromSeconds(1),
        MaxInterval = TimeSpan.FromHours(1);

    /// <summary>Reads the witnesses of one log; null when it has none, or faulty ones.</summary>
    public static WitnessOptions? Read(Section log)
    {
        var section = log.Object(Key);
        if (!log.Has(Key))
        {
            return null;
        }

        if (!log.Has("origin"))
        {
            log.Fault("origin", "is missing, but 'witnesses' is set. Witnesses know a log by its origin: choose a name under a domain of "
                + "yours and keep it for ever: \"log.alice.example/nix\".");
        }

        var path = section.Required("policyFile", "/etc/trustix-log/witnesses.tlog-policy, which lists witnesses with their addresses");
        var interval = section.Time("interval", Interval, MinInterval, MaxInterval);
        var publish = section.Choice("publish", HeadPublication.Witnessed);
        var policy = path.Length is 0 ? null : WitnessPolicyFile.Read(section, "policyFile", path);
        var options = policy is null ? null : new WitnessOptions(policy, interval, IsWithheld: publish is HeadPublication.Witnessed);
        return options is not null && IsAskable(section, path, options) ? options : null;
    }

    /// <summary>Lists what is weaker than it may look in a log's witnesses.</summary>
    public static IEnumerable<string> Warnings(HostedLogOptions log)
    {
        if (log.Witnesses is not { } witnesses)
        {
            return [];
        }

        var key = $"logs '{log.Name}'.witnesses.policyFile";
        return WitnessPolicyFile.Warnings(key, witnesses.Policy).Concat(
            witnesses.Policy.Witnesses.Where(witness => witness.Url is null).Select(witness =>
                $"{key}: names the witness '{witness.Name}' without an address, so it is never asked. Add its URL after its key."));
    }

    /// <summary>Checks the witnesses' addresses, and that enough witnesses have one.</summary>
    private static bool IsAskable(Section section, string path, WitnessOptions options)
    {
        var (policy, isGood) = (options.Policy, true);
        foreach (var witness in policy.Witnesses.Where(witness => witness.Url is not null))
        {
            if (ServiceUrl.FaultOf(witness.Url!, UrlForms.Web, out _, out _) is { } fault)
            {
                section.Fault("policyFile", $"is '{path}', whose address of witness '{witness.Name}' {fault}");
                isGood = false;
            }
        }

        if (!policy.Quorum!.IsMetBy(options.Asked.Select(witness => witness.Name).ToHashSet()))
        {
            section.Fault("policyFile", $"is '{path}', whose quorum, {policy.Quorum}, the witnesses with an address cannot meet. Add each "
                + "witness's URL after its key: witness NAME VKEY https://witness.example");
            isGood = false;
        }

        return isGood;
    }
}
