using System.CommandLine;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Substituter.Inspection;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Inspect;

/// <summary><c>trustix-proxy why</c>: the chain from a root to the refused paths that hold it back, and what would help.</summary>
internal static class WhyVerb
{
    private static readonly Argument<string[]> Paths = Patients.Argument(
        "Store paths or links to them, installed or not; - reads paths from standard input, of which those that no other one refers to "
            + "count as roots.");

    public static Command Create()
    {
        var command = new Command("why", "Shows what holds a path back: the chain of references from it to each path of its closure that "
            + "would be refused, and what would help.") { Paths, SharedOptions.Config, SharedOptions.Json };
        command.SetAction(RunAsync);
        return command;
    }

    private static Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation) =>
        ProxyConfiguration.WithNixAsync(parsed, async options =>
    {
        var patients = await Patients.ReadAsync(parsed.GetValue(Paths)!, options.Policy.Store, cancellation);
        if (patients.All.Count is 0)
        {
            Console.Error.WriteLine("PATH: no path to check.");
            return ExitCode.Usage;
        }

        using var explainer = new Explainer(options);
        var findings = await ExplainAsync(new Doctor(explainer, options.Policy), patients, cancellation);
        var report = new WhyReport(
            HeldRoot.Of(Roots(patients, findings), findings), finding => Remedy.Of(finding, options.Policy, options.Deadline))
        {
            Upstreams = explainer.Upstreams,
            Unwitnessed = explainer.Unwitnessed,
        };
        report.Write(Console.Out, parsed.GetValue(SharedOptions.Json));
        return report.ExitCode;
    });

    private static Task<IReadOnlyList<Finding>> ExplainAsync(Doctor doctor, Patients patients, CancellationToken cancellation) =>
        ProgressBar.ShowAsync("of the known closure", 1, tell => doctor.ExplainClosuresAsync(
            [.. patients.Named, .. patients.Listed], patients.All.ToDictionary(patient => patient.Path),
            (explained, known) => tell((double)explained / known), cancellation));

    /// <summary>All named paths, and the listed ones that no other of them refers to.</summary>
    private static List<StorePath> Roots(Patients patients, IReadOnlyList<Finding> findings)
    {
        var listed = patients.Listed.ToHashSet();
        var referred = findings.Where(finding => listed.Contains(finding.Path))
            .SelectMany(finding => finding.References.Where(reference => reference != finding.Path)).ToHashSet();
        var roots = patients.Named.Concat(patients.Listed.Where(path => !referred.Contains(path))).Distinct().ToList();
        return roots.Count > 0 ? roots : [.. patients.Listed]; // the listed ones refer to each other in a circle
    }
}
