using System.CommandLine;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Substituter.Inspection;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Inspect;

/// <summary><c>trustix-proxy gate</c>: whether the policy would serve what a change adds to a closure.</summary>
internal static class GateVerb
{
    private const string Text = "text", Json = "json", GitHub = "github", OldName = "OLD", NewName = "NEW";

    private const string Side = "a store path, or a link to one, with its closure; or a file with one store path a line. The closure of a "
        + "path that is not installed is the one that would be served.";

    private static readonly Argument<string> Old = new("old") { Description = $"What was there before: {Side}", HelpName = OldName };

    private static readonly Argument<string> New = new("new") { Description = $"What is to be there: {Side}", HelpName = NewName };

    private static readonly Option<string> Format = new("--format")
    {
        Description = $"How to print it: {Text}, {Json}, or {GitHub} for annotations in GitHub Actions.",
        DefaultValueFactory = _ => Text,
        HelpName = "FORM",
    };

    public static Command Create()
    {
        Format.AcceptOnlyFromAmong(Text, Json, GitHub);
        var command = new Command("gate", "Asks every elector about the paths that a change adds. Exit code 0: all would be served; 1: "
            + "one would be refused, or is installed otherwise than accepted; 3: answers are missing.")
        {
            Old, New, Format, SharedOptions.Config, SharedOptions.Json,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation) =>
        ProxyConfiguration.WithNixAsync(parsed, async options =>
    {
        using var explainer = new Explainer(options);
        var doctor = new Doctor(explainer, options.Policy);
        var before = await ReadAsync(OldName, parsed.GetValue(Old)!, options.Policy.Store, doctor, cancellation);
        var after = await ReadAsync(NewName, parsed.GetValue(New)!, options.Policy.Store, doctor, cancellation);
        var findings = await ExplainAsync(doctor, after, [.. after.Paths.Except(before.Paths)], cancellation);
        var report = new GateReport(before, after, findings);
        report.Write(Console.Out, parsed.GetValue(SharedOptions.Json) ? Json : parsed.GetValue(Format)!);
        return report.Code;
    });

    /// <summary>Checks the added paths. What was found about a path that is not installed is not asked for again.</summary>
    private static async Task<IReadOnlyList<Finding>> ExplainAsync(
        Doctor doctor, GateSide after, IReadOnlyList<StorePath> added, CancellationToken cancellation)
    {
        var found = after.Findings.ToDictionary(finding => finding.Path);
        var patients = await PatientReader.DescribeAsync(added, cancellation);
        var open = patients.Where(patient => patient.Installed is not null || !found.ContainsKey(patient.Path)).ToList();
        var done = 0;
        foreach (var finding in await ProgressBar.ShowAsync($"of {open.Count:N0} added paths", open.Count, tell =>
            doctor.ExplainAsync(open, () => tell(Interlocked.Increment(ref done)), cancellation)))
        {
            found[finding.Path] = finding;
        }

        return [.. added.Select(path => found[path])];
    }

    /// <summary>Reads one side of the change: a path's closure, or the lines of a file.</summary>
    private static async Task<GateSide> ReadAsync(
        string name, string text, Store store, Doctor doctor, CancellationToken cancellation)
    {
        if (!IsFileOfItsOwn(text) && StorePathArgument.TryRead(text, out var path))
        {
            PatientReader.InStore(path, store, $"{name} is");
            return await PatientReader.IsInstalledAsync(path, cancellation)
                ? new GateSide(await MachineStore.ClosureAsync(path, cancellation), null) : await FollowAsync(path, doctor, cancellation);
        }

        try
        {
            using var file = File.OpenText(text);
            var paths = await PatientReader.ReadLinesAsync(file, $"{name}, '{text}',", store, cancellation);
            return paths.Count > 0 || name is not NewName ? new GateSide(paths, text)
                : throw new FormatException($"{name} is '{text}', which has no line; a change to nothing is not checked.");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new FormatException(
                $"{name} is '{text}', which is neither a store path, nor a link to one, nor a file that can be read: {exception.Message}");
        }
    }

    /// <summary>Follows the references that would be served, or those of the only proven claim. What lies below a conflict stays
    /// unknown.</summary>
    private static async Task<GateSide> FollowAsync(StorePath path, Doctor doctor, CancellationToken cancellation)
    {
        var findings = await ProgressBar.ShowAsync("of the known closure", 1, tell => doctor.ExplainClosuresAsync(
            [path], new Dictionary<StorePath, Patient>(), (explained, known) => tell((double)explained / known), cancellation));
        return new GateSide([.. findings.Select(finding => finding.Path)], null) { Findings = findings };
    }

    /// <summary>Whether a file is named that is no store path and no link to one, such as <c>store-paths</c> in an output of
    /// closureInfo.</summary>
    private static bool IsFileOfItsOwn(string text) => text.Length > 0
        && new FileInfo(Path.GetFullPath(text)) is { Exists: true, LinkTarget: null } file
        && !Store.TryParse(file.DirectoryName, out _);
}
