namespace TrustixProxy.Tests.House;

/// <summary>The floors of the house: every namespace of <c>src</c>, the lowest first. A file may use what stands before its own, and
/// nothing else.</summary>
internal static class Floors
{
    public static readonly string[] Order =
    [
        "TrustixProxy.Native",
        "TrustixProxy.Nix",
        "TrustixProxy.TransparencyLog.Wire",
        "TrustixProxy.TransparencyLog",
        "TrustixProxy.TransparencyLog.Notes",
        "TrustixProxy.Consensus",
        "TrustixProxy.Apt",
        "TrustixProxy.IO.Pages",
        "TrustixProxy.IO.Streams",
        "TrustixProxy.IO.Metering",
        "TrustixProxy.IO.Supervision",
        "TrustixProxy.IO.Programs",
        "TrustixProxy.IO.Storage",
        "TrustixProxy.IO.Certificates",
        "TrustixProxy.IO.Redis",
        "TrustixProxy.IO.Connecting",
        "TrustixProxy.IO.Buckets",
        "TrustixProxy.IO.Connections",
        "TrustixProxy.Logs.Client",
        "TrustixProxy.Logs.Watching",
        "TrustixProxy.Logs.Mirrors",
        "TrustixProxy.Nars",
        "TrustixProxy.Nars.Store",
        "TrustixProxy.Nars.Upstreams",
        "TrustixProxy.Nars.Delivery",
        "TrustixProxy.Nars.Comparison",
        "TrustixProxy.Nars.Auditing",
        "TrustixProxy.LogNode.Storage",
        "TrustixProxy.LogNode.Sequencing",
        "TrustixProxy.LogNode.Witnessing",
        "TrustixProxy.LogNode.Api",
        "TrustixProxy.LogNode.Archive",
        "TrustixProxy.LogNode.Hosting",
        "TrustixProxy.Publisher",
        "TrustixProxy.Rebuilder.Derivations",
        "TrustixProxy.Rebuilder.Stores",
        "TrustixProxy.Rebuilder.Records",
        "TrustixProxy.Rebuilder.Work",
        "TrustixProxy.Rebuilder.Builds",
        "TrustixProxy.Substituter.Fairness",
        "TrustixProxy.Substituter.Wanted",
        "TrustixProxy.Substituter.Revocations",
        "TrustixProxy.Substituter.Evidence",
        "TrustixProxy.Substituter.Decisions",
        "TrustixProxy.Substituter.Traces",
        "TrustixProxy.Substituter.Pipelining",
        "TrustixProxy.Substituter.FrontDoor",
        "TrustixProxy.Substituter.Substitution",
        "TrustixProxy.Substituter.Composition",
        "TrustixProxy.Substituter.Health",
        "TrustixProxy.Substituter.Inspection",
        "TrustixProxy.Substituter.Dashboard",
        "TrustixProxy.Substituter.Hosting",
        "TrustixProxy.AptGate.Storage",
        "TrustixProxy.AptGate.Archives",
        "TrustixProxy.AptGate.Delivery",
        "TrustixProxy.AptGate.Indexes",
        "TrustixProxy.AptGate.Rebuilders",
        "TrustixProxy.AptGate.Decisions",
        "TrustixProxy.AptGate.Releases",
        "TrustixProxy.AptGate.Serving",
        "TrustixProxy.AptGate.Hosting",
        "TrustixProxy.AptGate.Inspection",
        "TrustixProxy.Configuration",
        "TrustixProxy.Terminal",
        "TrustixProxy.Setup",
        "TrustixProxy.Demo",
        "TrustixProxy.Verbs.Apt",
        "TrustixProxy.Verbs.Serve",
        "TrustixProxy.Verbs.Node",
        "TrustixProxy.Verbs.Inspect",
        "TrustixProxy.Verbs.Manage",
        "TrustixProxy.Verbs",
    ];

    /// <summary>What is wrong with a file: a namespace without a floor, a using upward, or a type of a parent namespace that stands
    /// above.</summary>
    /// <param name="file">The file.</param>
    /// <param name="all">All files of the house.</param>
    public static IEnumerable<string> Faults(SourceFile file, IReadOnlyList<SourceFile> all)
    {
        var own = Array.IndexOf(Order, file.Namespace);
        if (own < 0)
        {
            return [$"{file.Name}: namespace '{file.Namespace}' has no floor"];
        }

        var upward = file.Used.Where(used => FloorOf(used) is var floor && (floor < 0 || floor > own))
            .Select(used => $"{file.Name}: uses {used}, which is not below {file.Namespace}");
        var above = all.Where(other => file.Namespace.StartsWith(other.Namespace + ".", StringComparison.Ordinal)
            && Array.IndexOf(Order, other.Namespace) > own)
            .SelectMany(other => other.Declared.Where(file.Mentioned.Contains))
            .Select(type => $"{file.Name}: uses {type} of a namespace above");
        return upward.Concat(above);
    }

    /// <summary>Circles of more than <paramref name="most"/> files that refer to each other within one namespace.</summary>
    public static IEnumerable<string> FileCircles(IReadOnlyList<SourceFile> files, int most)
    {
        var arrows = files.ToDictionary(
            file => file,
            file => files.Where(other => other != file && other.Namespace == file.Namespace && other.Declared.Any(file.Mentioned.Contains))
                .ToList());
        var reach = files.ToDictionary(file => file, file => ReachOf(file, arrows));
        return files.Select(file =>
            reach[file].Where(other => reach[other].Contains(file)).Append(file).Select(other => other.Name).Distinct().Order().ToList())
            .Where(circle => circle.Count > most).Select(circle => string.Join(", ", circle)).Distinct();
    }

    /// <summary>The floor of a namespace, or of a type in one; -1 where there is none.</summary>
    private static int FloorOf(string name) =>
        Order.Contains(name) ? Array.IndexOf(Order, name) : name.LastIndexOf('.') is var dot and > 0 ? FloorOf(name[..dot]) : -1;

    private static HashSet<SourceFile> ReachOf(SourceFile start, Dictionary<SourceFile, List<SourceFile>> arrows)
    {
        var seen = new HashSet<SourceFile>();
        var waiting = new Stack<SourceFile>(arrows[start]);
        while (waiting.TryPop(out var file))
        {
            if (seen.Add(file))
            {
                arrows[file].ForEach(waiting.Push);
            }
        }

        return seen;
    }
}
