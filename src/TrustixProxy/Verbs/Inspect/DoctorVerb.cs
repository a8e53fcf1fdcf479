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
    private const string System = "/run/current-system", StandardInput = "-";

    private static readonly Argument<string[]> Paths = new("path")
    {
        Description = $"Store paths or links to them, checked with their closure if installed; {StandardInput} reads paths from "
            + $"standard input, checked without their closures.",
        Arity = ArgumentArity.ZeroOrMore,
        DefaultValueFactory = _ => [System],
        HelpName = "PATH",
    };

    public static Command Create()
    {
        var command = new Command("doctor", "Asks every elector about all paths of a closure. Shows what would be served or "
            + "refused and why, installed paths that differ from proven ones, and whose vote would help "
            + "most.") { Paths, SharedOptions.Config,
            SharedOptions.Json };
        command.SetAction(RunAsync);
        return command;
    }

    private static Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation) =>
        ProxyConfiguration.WithAsync(parsed, async options =>
    {
        try
        {
            var patients = await ReadAsync(parsed.GetValue(Paths)!, cancellation);
            if (patients.Count is 0)
            {
                Console.Error.WriteLine("PATH: no path to check.");
                return ExitCode.Usage;
            }

            using var explainer = new Explainer(options);
            var findings = await ExplainAsync(new Doctor(explainer, options.Policy), patients, cancellation);
            var report = new DoctorReport(
                findings, explainer.Upstreams, explainer.Unwitnessed, await explainer.FindRefusedNarsAsync(null, cancellation));
            report.Summary.Keep(options.StateDirectory);
            report.Write(Console.Out, parsed.GetValue(SharedOptions.Json));
            return report.IsUnwell ? ExitCode.No : report.IsUncertain ? ExitCode.Unknown : ExitCode.Good;
        }
        catch (NixException exception)
        {
            Console.Error.WriteLine(exception.Message);
            return ExitCode.Unknown;
        }
        catch (FormatException exception)
        {
            Console.Error.WriteLine(exception.Message);
            return ExitCode.Usage;
        }
    });

    private static Task<IReadOnlyList<Finding>> ExplainAsync(Doctor doctor, IReadOnlyList<Patient> patients, CancellationToken cancellation)
    {
        var done = 0;
        return ProgressBar.ShowAsync($"of {patients.Count:N0} paths", patients.Count, tell =>
            doctor.ExplainAsync(patients, () => tell(Interlocked.Increment(ref done)), cancellation));
    }

    private static async Task<IReadOnlyList<Patient>> ReadAsync(string[] texts, CancellationToken cancellation)
    {
        var paths = new List<StorePath>();
        foreach (var text in texts.Where(text => text is not StandardInput))
        {
            var path = StorePathArgument.TryRead(text, out var found) ? found
                : throw new FormatException($"PATH is '{text}', which is neither in {StorePath.StoreDirectory} nor a link to a "
                    + $"path there.");
            paths.AddRange(await IsInstalledAsync(path, cancellation) ? await NixStore.ClosureAsync(path, cancellation) : [path]);
        }

        for (var line = texts.Contains(StandardInput) ? await Console.In.ReadLineAsync(cancellation)
            : null; line is not null; line = await Console.In.ReadLineAsync(cancellation))
        {
            paths.Add(StorePath.TryParseAbsolute(line, out var path, out _) || StorePath.TryParse(line, out path, out _) ? path
                : throw new FormatException($"Standard input has the line '{line}', which is not a store path."));
        }

        return await DescribeAsync([.. paths.Distinct()], cancellation);
    }

    private static async Task<bool> IsInstalledAsync(StorePath path, CancellationToken cancellation) =>
        (await InstalledAsync([path], cancellation)).Count > 0;

    /// <summary>What this machine's Nix says of the paths; where there is no Nix, nothing is installed.</summary>
    private static async Task<IReadOnlyList<Patient>> DescribeAsync(IReadOnlyList<StorePath> paths, CancellationToken cancellation)
    {
        var described = (await NixStore.DescribeAsync(await InstalledAsync(paths, cancellation), cancellation))
            .ToDictionary(output => output.Statement.Path, output => output.Statement);
        return [.. paths.Select(path => described.TryGetValue(path, out var statement)
            ? new Patient(path, statement.NarHash, statement.References) : new Patient(path, null, []))];
    }

    private static async Task<IReadOnlyList<StorePath>> InstalledAsync(IReadOnlyList<StorePath> paths, CancellationToken cancellation)
    {
        try
        {
            return await NixStore.ValidAsync(paths, cancellation);
        }
        catch (NixException exception)
        {
            Console.Error.WriteLine($"installed paths are not checked: {exception.Message}");
            return [];
        }
    }
}
