using System.CommandLine;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Substituter.Composition;
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

    private static readonly Option<string?> Acl = new("--acl")
    {
        Description = "With the store /gnu/store: name every key in this access control list of a Guix client that bypasses the vote. "
            + $"Default: {ClientAcl.DefaultFile}, if it is there.",
        HelpName = "FILE",
    };

    public static Command Create()
    {
        var command = new Command("doctor", "Asks every elector about all paths of a closure. Shows what would be served or "
            + "refused and why, installed paths that differ from proven ones, and whose vote would help "
            + "most.") { Paths, SharedOptions.Config,
            SharedOptions.Json, Baseline, Acl };
        command.SetAction(RunAsync);
        return command;
    }

    private static Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation) =>
        ProxyConfiguration.WithNixAsync(parsed, async (options, isKeyMissing) =>
    {
        var acl = ReadAcl(parsed.GetValue(Acl), options, isKeyMissing);
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
            findings, explainer.Upstreams, explainer.Unwitnessed, await explainer.FindRefusedNarsAsync(null, cancellation))
        {
            Acl = acl,
            Bypasses = options.Policy.Store == Store.Nix ? await NixBypass.FindAsync(options, cancellation) : [],
        };
        report.Summary.Keep(options.StateDirectory);
        var shown = before is null ? report : report.Since(before.Compare(findings));
        shown.Write(Console.Out, parsed.GetValue(SharedOptions.Json));
        return Keep(findings, before, file) ?? shown.ExitCode;
    });

    /// <summary>Reads the list of keys that a client of Guix believes; null where there is none to read.</summary>
    /// <exception cref="FormatException">It is asked for where it means nothing.</exception>
    /// <exception cref="NixException">It cannot be read.</exception>
    private static ClientAcl? ReadAcl(string? named, SubstituterOptions options, bool isKeyMissing)
    {
        if (options.Policy.Store != Store.Guix)
        {
            return named is null ? null : throw new FormatException(
                $"--acl is '{named}', but the configuration is of {options.Policy.Store}, whose clients have no such file: leave it out.");
        }

        var file = named ?? ClientAcl.DefaultFile;
        if (named is null && !File.Exists(file))
        {
            return null;
        }

        if (isKeyMissing)
        {
            throw new NixException($"--acl: '{file}' is not checked, as the proxy has no key yet: start it once, or make its "
                + "signingKeyFile with trustix-proxy keygen.");
        }

        try
        {
            return ClientAcl.Read(file, options);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new NixException($"--acl: '{file}' cannot be read: {exception.Message}");
        }
    }

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
