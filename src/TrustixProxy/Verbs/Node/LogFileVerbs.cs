using System.CommandLine;
using System.Text.Json;
using TrustixProxy.Configuration;
using TrustixProxy.LogNode.Archive;
using TrustixProxy.LogNode.Hosting;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.Nix;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Node;

/// <summary><c>trustix-proxy log fsck|export|import|proof|conflicts</c>: what is done with a log's file, without its node.</summary>
internal static class LogFileVerbs
{
    private static readonly Option<string?> Log = new(
        "--log")
    { Description = "Name of the log, if the configuration has several.", HelpName = "NAME" };

    public static IEnumerable<Command> Create()
    {
        var to = new Option<string>(
            "--to")
        { Description = "Folder to write to; a later export adds only new entries.", Required = true, HelpName = "DIR" };
        var from = new Option<string>(
            "--from")
        { Description = "Folder written by log export, or a copy of it.", Required = true, HelpName = "DIR" };
        var json = new Option<bool>("--json") { Description = "Print one JSON object per line." };
        yield return Make("fsck", "Recomputes all hashes of a log from its entries and checks all signatures. The node may be running. A "
            + "check of a large log that was ended goes on where it was.",
            (options, log, parsed) => Check(options, log, parsed.GetValue(SharedOptions.Json)), SharedOptions.Json);
        yield return Make("export", "Writes a log as static files for any web server. An export that was ended goes on where it "
            + "was.", (options, log, parsed) => Export(options, log, parsed.GetValue(to)!), to);
        yield return Make("import", "Rebuilds a log from static files and verifies everything. Use only the newest copy: a log "
            + "continued from an older one contradicts its own signatures.", (options, log, parsed) =>
            Import(options, log, parsed.GetValue(from)!), from);
        yield return Proof();
        yield return Make("conflicts", "Lists keys for which different values were submitted: who submitted which, and since when.",
            (options, log, parsed) => LogConflicts.List(options, log, parsed.GetValue(json)), json);
    }

    private static Command Proof()
    {
        var path = new Argument<string>("PATH") { Description = "A store path, or a link to one such as ./result." };
        var output = new Option<string?>("--output") { Description = "File to write. Default: standard output.", HelpName = "FILE" };
        var command = Make("proof", "Writes a C2SP tlog-proof of the entry that a log with an origin holds for a path. The node may be "
            + "running.", (options, log, parsed) => Prove(options, log, parsed.GetValue(path)!, parsed.GetValue(output)), output);
        command.Add(path);
        return command;
    }

    private static Command Make(
        string name, string description, Func<LogNodeOptions, HostedLogOptions, ParseResult, int> run, params Option[] options)
    {
        var command = new Command(name, description) { SharedOptions.Config, Log };
        foreach (var option in options)
        {
            command.Add(option);
        }

        command.SetAction(parsed => Run(parsed, run));
        return command;
    }

    private static int Run(ParseResult parsed, Func<LogNodeOptions, HostedLogOptions, ParseResult, int> run)
    {
        var (options, faults) = ConfigurationFile.Read(
            parsed.GetValue(SharedOptions.Config), section => LogServeConfiguration.Read(section, isCheck: true));
        if (options is null)
        {
            return ExitCode.Refuse(faults);
        }

        var name = parsed.GetValue(Log);
        var logs = options.Logs.Where(log => name is null || log.Name == name).ToList();
        if (logs.Count is not 1)
        {
            Console.Error.WriteLine($"--log is {(name is null ? "missing" : $"'{name}'")}; the configuration has "
                + $"{string.Join(", ", options.Logs.Select(log => log.Name))}.");
            return ExitCode.Usage;
        }

        try
        {
            return run(options, logs[0], parsed);
        }
        catch (InvalidDataException exception)
        {
            Console.Error.WriteLine(exception.Message);
            return ExitCode.No;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(exception.Message);
            return ExitCode.Unknown;
        }
    }

    private static int Check(LogNodeOptions options, HostedLogOptions log, bool isJson)
    {
        var (entries, heads, faults) = ProgressBar.ShowAsync($"of {log.Name}", 1, tell =>
            Task.Run(() => LogCheck.Run(LogStore.PathOf(options.StateDirectory, log), log.Signer.Key, tell, checkedBefore =>
                Console.Error.WriteLine($"{log.Name}: goes on after {checkedBefore} entries, which a check that was ended has checked"))))
            .GetAwaiter().GetResult();
        if (isJson)
        {
            Console.WriteLine(JsonSerializer.Serialize(
                new LogCheckReport(log.Name, entries, heads, faults, faults.Count < LogCheck.MaxFaults), VerbJson.Indented.LogCheckReport));
            return faults.Count is 0 ? ExitCode.Good : ExitCode.No;
        }

        foreach (var fault in faults)
        {
            Console.WriteLine(fault);
        }

        Console.WriteLine(faults.Count is 0 ? $"{log.Name}: {entries} entries under {heads} heads, all match their signatures"
            : $"{log.Name}: {faults.Count}{(faults.Count < LogCheck.MaxFaults ? "" : " or more")} faults");
        return faults.Count is 0 ? ExitCode.Good : ExitCode.No;
    }

    private static int Export(LogNodeOptions options, HostedLogOptions log, string folder)
    {
        var (entries, files, version) = ProgressBar.ShowAsync($"of {log.Name}", 1, tell => Task.Run(() => LogExport.Run(
            LogStore.PathOf(options.StateDirectory, log), log.Signer, folder, log.Origin, tell))).GetAwaiter().GetResult();
        Console.WriteLine($"{log.Name}: {entries} entries in {folder}, {files} files written");
        if (version is 1 && log.Origin is not null)
        {
            Console.Error.WriteLine($"{folder} goes on in version 1, without checkpoints. Export to a new folder for C2SP's readers.");
        }

        return ExitCode.Good;
    }

    private static int Import(LogNodeOptions options, HostedLogOptions log, string folder)
    {
        Directory.CreateDirectory(options.StateDirectory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var (entries, heads) = LogImport.Run(folder, log.Signer, options.StateDirectory, log.Name, log.Origin);
        Console.WriteLine($"{log.Name}: {entries} entries under {heads} heads, verified and imported");
        return ExitCode.Good;
    }

    private static int Prove(LogNodeOptions options, HostedLogOptions log, string text, string? output)
    {
        var fault = !StorePathArgument.TryRead(text, out var path)
            ? $"PATH is '{text}', which is neither in {Store.Nix} or {Store.Guix}, nor a link to a path there."
            : log.Origin is null ? $"The log {log.Name} has no origin, so it has no checkpoints. Give it one: \"origin\": "
                + "\"log.alice.example/nix\"."
            : null;
        if (fault is not null)
        {
            Console.Error.WriteLine(fault);
            return ExitCode.Usage;
        }

        if (LogProof.Make(options.StateDirectory, log, path!) is not { } proof)
        {
            Console.Error.WriteLine($"The log {log.Name} has no entry for {path!.Absolute}. Submit the path with log submit.");
            return ExitCode.No;
        }

        if (proof.Extra is null)
        {
            Console.Error.WriteLine("The value is too long for a proof file, which therefore cannot vote on its own.");
        }

        if (log.Witnesses is { } witnesses && !witnesses.Policy.Count(proof.Checkpoint, TimeProvider.System.GetUtcNow()).IsQuorum)
        {
            Console.Error.WriteLine($"The newest head of {log.Name} lacks its quorum of witnesses, so a proxy that demands them refuses "
                + "this proof. Write it again once they have cosigned.");
        }

        using var file = output is null ? Console.OpenStandardOutput() : File.Create(output);
        file.Write(proof.ToBytes());
        return ExitCode.Good;
    }
}
