using System.Text.Json;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Inspection;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Inspect;

/// <summary>What <c>why</c> has found, for people and for programs.</summary>
/// <param name="roots">The roots, and what holds each back.</param>
/// <param name="help">What would help with a refused path.</param>
internal sealed class WhyReport(IReadOnlyList<HeldRoot> roots, Func<Finding, IReadOnlyList<Remedy>> help)
{
    /// <summary>Causes shown in all, so that the text stays within one screen.</summary>
    private const int MostCauses = 4;

    private const int MostLinks = 7, MostHelp = 3, MostNames = 3, MostWell = 5;

    /// <summary>States of the upstreams and signed caches.</summary>
    public IReadOnlyList<UpstreamReport> Upstreams { get; init; } = [];

    /// <summary>Logs whose heads too few witnesses have lately seen.</summary>
    public IReadOnlyList<UnwitnessedLog> Unwitnessed { get; init; } = [];

    /// <summary>What it says to a script: the answer is no if what electors say holds a root back, unknown if only missing answers
    /// do.</summary>
    public int ExitCode => Obstacles.Any(obstacle => !obstacle.Finding.IsUncertain) ? Terminal.ExitCode.No
        : Obstacles.Any() ? Terminal.ExitCode.Unknown : Terminal.ExitCode.Good;

    private IEnumerable<Obstacle> Obstacles => roots.SelectMany(root => root.Obstacles);

    /// <summary>The same for programs, whole.</summary>
    private WhyJson Whole => new(
        [.. roots.Select(root => new WhyRoot(root.Root.Path.Absolute, root.Root.Outcome.Word(), root.Paths,
            root.Obstacles.Select(obstacle => new WhyObstacle(
                obstacle.Finding.Path.Absolute, obstacle.Finding.Outcome.Word(), Cause.Of(obstacle.Finding), obstacle.Finding.Sentence,
                obstacle.Finding.IsUncertain, obstacle.Finding.NeededBy, obstacle.Chain.Select(path => path.Absolute),
                help(obstacle.Finding)))))],
        Upstreams, Unwitnessed);

    public void Write(TextWriter output, bool isJson)
    {
        if (isJson)
        {
            output.WriteLine(JsonSerializer.Serialize(Whole, VerbJson.Indented.WhyJson));
            return;
        }

        foreach (var trouble in Unwitnessed.Select(log => $"log {log}")
            .Concat(Upstreams.Where(upstream => upstream.State is not "live").Select(upstream => $"upstream {upstream}")))
        {
            output.WriteLine(trouble);
        }

        var (left, hidden) = (MostCauses, 0);
        foreach (var root in roots.Where(root => root.Obstacles.Count > 0))
        {
            var causes = root.Obstacles.GroupBy(obstacle => Cause.Of(obstacle.Finding)).ToList();
            if (left > 0)
            {
                output.WriteLine(
                    $"{root.Root.Path.Absolute} is held back: of {Count(root.Paths)}, {root.Obstacles.Count:N0} would be refused");
            }

            causes.Take(left).ToList().ForEach(cause => Write(output, [.. cause], cause.Key));
            hidden += Math.Max(0, causes.Count - left);
            left = Math.Max(0, left - causes.Count);
        }

        if (hidden > 0)
        {
            output.WriteLine($"{hidden:N0} more {(hidden is 1 ? "cause" : "causes")} not shown; --json lists all");
        }

        WriteWell(output, [.. roots.Where(root => root.Obstacles.Count is 0)]);
    }

    private void Write(TextWriter output, IReadOnlyList<Obstacle> obstacles, string cause)
    {
        var (finding, chain) = (obstacles[0].Finding, obstacles[0].Chain);
        var remedies = help(finding);
        output.WriteLine($"  {cause}{(finding.IsUncertain ? " (some answers missing)" : "")}");
        output.WriteLine($"    {finding.Path.Absolute}");
        output.WriteLine($"      {(chain.Count is 1 ? "is the root itself" : $"by {Link(chain)}")}; needed by {Count(finding.NeededBy)}");
        output.WriteLine($"      {finding.Outcome.Word()}: {finding.Sentence}");
        foreach (var remedy in remedies.Take(MostHelp))
        {
            output.WriteLine($"      {remedy.Kind}: {remedy.Text}");
        }

        if (obstacles.Count > 1)
        {
            var others = obstacles.Skip(1).Take(MostNames).Select(other => other.Finding.Path.Name);
            var rest = obstacles.Count - 1 - MostNames;
            output.WriteLine($"    and {string.Join(", ", others)}{(rest > 0 ? $" and {rest:N0} more" : "")} for the same cause");
        }
    }

    private static void WriteWell(TextWriter output, IReadOnlyList<HeldRoot> well)
    {
        foreach (var root in well.Take(MostWell))
        {
            output.WriteLine($"{root.Root.Path.Absolute}: nothing holds it back; {Count(root.Paths)} would be served");
        }

        if (well.Count > MostWell)
        {
            output.WriteLine($"nothing holds back {well.Count - MostWell:N0} more");
        }
    }

    /// <summary>The names of a chain in one line; the middle of a long one is left out.</summary>
    private static string Link(IReadOnlyList<StorePath> chain)
    {
        var names = chain.Select(path => path.Name).ToList();
        return string.Join(" → ", names.Count <= MostLinks ? names
            : [.. names.Take(3), $"… {names.Count - 6} more …", .. names.TakeLast(3)]);
    }

    private static string Count(int number) => $"{number:N0} {(number is 1 ? "path" : "paths")}";
}
