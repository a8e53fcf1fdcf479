using System.CommandLine;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Hosting;
using TrustixProxy.Substituter.Revocations;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Manage;

/// <summary><c>trustix-proxy revoke</c>: has something served no longer, whatever was decided, by any replica.</summary>
internal static class RevokeVerb
{
    private static readonly Argument<string?> What = new("what")
    {
        Description = "A store path, its digest, or a NAR hash (sha256:…).",
        HelpName = "PATH|NARHASH",
        Arity = ArgumentArity.ZeroOrOne
    };
    private static readonly Option<string?> Log = new(
        "--log")
    { Description = "Revoke instead all entries of this log from --since on.", HelpName = "NAME" };
    private static readonly Option<long?> Since = new(
        "--since")
    { Description = "Size of the log up to which its entries stay trusted.", HelpName = "SIZE" };
    private static readonly Option<string> Reason = new(
        "--reason")
    { Description = "Reason, shown to clients.", Required = true, HelpName = "TEXT" };
    private static readonly Option<bool> Undo = new("--undo") { Description = "Reverse the revocation." };

    public static Command Create()
    {
        var command = new Command("revoke", "Stops serving a path, a NAR, or a log's recent entries: immediately in this proxy, "
            + "within a second in its replicas.")
        {
            What, Log, Since, Reason, Undo, SharedOptions.Config,
        };
        command.SetAction((parsed, cancellation) =>
            ProxyConfiguration.WithAsync(parsed, options => RunAsync(parsed, options, cancellation), needsKey: true));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, SubstituterOptions options, CancellationToken cancellation)
    {
        var (reason, isUndone) = (parsed.GetValue(Reason)!, parsed.GetValue(Undo));
        if (!Revocation.IsReason(reason))
        {
            return Refuse($"--reason is '{reason}'; it must be one line of at most {Revocation.MaxReason} characters.");
        }

        if (!TryReadSubject(parsed, options, out var subject, out var fault))
        {
            return Refuse(fault);
        }

        using var revoker = new Revoker(options);
        var (number, isRunning, failure) = await revoker.RevokeAsync(subject, isUndone, reason, cancellation);
        if (failure is not null)
        {
            Console.Error.WriteLine(failure);
            return ExitCode.Unknown;
        }

        var where = isRunning ? "in force in the running proxy, which notifies its replicas"
            : "no proxy listens in this state directory: in force when one starts, or within a second in one that runs";
        Console.WriteLine(number is null ? $"{subject} is not revoked"
            : $"no. {number}: {subject} is {(isUndone ? "no longer revoked" : "revoked")}; {where}");
        return number is null ? ExitCode.No : ExitCode.Good;
    }

    private static bool TryReadSubject(
        ParseResult parsed, SubstituterOptions options, [NotNullWhen(true)] out RevokedSubject? subject, out string fault)
    {
        (subject, fault) = (null, "");
        var (what, name, since) = (parsed.GetValue(What), parsed.GetValue(Log), parsed.GetValue(Since));
        if (what is null == (name is null) || name is null != (since is null))
        {
            fault = "Name one of: a path, a NAR hash, or --log NAME --since SIZE.";
        }
        else if (name is not null)
        {
            var log = options.Logs.FirstOrDefault(log => log.Elector.Name == name);
            fault = log is null
                ? $"--log is '{name}'; the configuration has {string.Join(", ", options.Logs.Select(log => log.Elector.Name))}."
                : since < 0 ? $"--since is {since}; it must be 0 or more."
                : "";
            subject = fault.Length is 0 ? new RevokedSubject.Log(log!.Elector.Key.LogId, since!.Value) : null;
        }
        else
        {
            subject = StorePath.TryParseAbsolute(what!, out var path, out _) || StorePath.TryParse(what, out path, out _)
                ? new RevokedSubject.Path(path.Digest)
                : StorePathDigest.TryParse(what, out var digest) ? new RevokedSubject.Path(digest)
                : NixHash.TryParse(what, out var hash, out _) && hash.Algorithm is NixHashAlgorithm.Sha256 ? new RevokedSubject.Nar(hash)
                : null;
            fault = subject is null ? $"PATH|NARHASH is '{what}'; it must be a store path, its digest, or a NAR hash: sha256:… or sha256-…."
                : "";
        }

        return subject is not null;
    }

    private static int Refuse(string fault)
    {
        Console.Error.WriteLine(fault);
        return ExitCode.Usage;
    }
}
