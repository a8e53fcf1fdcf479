using System.CommandLine;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Substituter.Inspection;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Inspect;

/// <summary><c>trustix-proxy doctor</c>: what the policy would make of a whole system, and what of it is installed otherwise than electors
/// prove.</summary>
internal static class DoctorVerb
{
    private static readonly Argument<string[]> Paths = Patients.Argument(
        "Store paths or links to them, checked with their closure if installed; - reads paths from standard input, checked without "
            + "their closures.");

    private static readonly Option<string?> Baseline = new("--baseline")
    {
        Description = "Compare with the problems that this JSON file keeps, show only what is new or changed, and keep those of now. "
            + "Made if it is missing.",
        HelpName = "FILE",
    };

    public static Command Create()
    {
        var command = new Command("doctor", "Asks every elector about all paths of a closure. Shows what would be served or "
            + "refused and why, installed paths that differ from proven ones, and whose vote would help "
            + "most.") { Paths, SharedOptions.Config,
            SharedOptions.Json, Baseline };
        command.SetAction(RunAsync);
        return command;
    }

    private static Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation) =>
        ProxyConfiguration.WithNixAsync(parsed, async options =>
    {
        var patients = (await Patients.ReadAsync(parsed.GetValue(Paths)!, options.Policy.Store, cancellation)).All;
        if (patients.Count is 0)
        {
            Console.Error.WriteLine("PATH: no path to check.");
            return ExitCode.Usage;
        }

        var file = parsed.GetValue(Baseline);
        var before = file is null ? null : DoctorBaseline.Read(file);
        using var explainer = new Explainer(options);
        var findings = await ExplainAsync(new Doctor(explainer, options.Policy), patients, cancellation);
        var report = new DoctorReport(
            findings, explainer.Upstreams, explainer.Unwitnessed, await explainer.FindRefusedNarsAsync(null, cancellation));
        report.Summary.Keep(options.StateDirectory);
        var shown = before is null ? report : report.Since(before.Compare(findings));
        shown.Write(Console.Out, parsed.GetValue(SharedOptions.Json));
        return Keep(findings, before, file) ?? shown.ExitCode;
    });

    /// <summary>Keeps the problems in the baseline; returns the exit code if that fails.</summary>
    private static int? Keep(IReadOnlyList<Finding> findings, DoctorBaseline? before, string? file)
    {
        try
        {
            if (file is not null)
            {
                DoctorBaseline.Of(findings, before, TimeProvider.System.GetUtcNow()).Write(file);
            }

            return null;
        }
        catch (IOException exception)
        {
            Console.Error.WriteLine(exception.Message);
            return ExitCode.Unknown;
        }
    }

    private static Task<IReadOnlyList<Finding>> ExplainAsync(Doctor doctor, IReadOnlyList<Patient> patients, CancellationToken cancellation)
    {
        var done = 0;
        return ProgressBar.ShowAsync($"of {patients.Count:N0} paths", patients.Count, tell =>
            doctor.ExplainAsync(patients, () => tell(Interlocked.Increment(ref done)), cancellation));
    }
}
