using Microsoft.Data.Sqlite;
using TrustixProxy.Consensus;
using TrustixProxy.Logs.Mirrors;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Answers for a log from its mirror, with the same proofs and checks as the log. At most the value is fetched from the log, if no
/// upstream supplies it.</summary>
internal sealed class MirrorElector(Elector.Log elector, WatchedLog log, LogMirror mirror, TimeSpan pollInterval, TimeProvider time)
    : ElectorClient
{
    /// <summary>Maximum age of a head under which an absence is accepted.</summary>
    private static readonly TimeSpan FreshEnough = TimeSpan.FromSeconds(1);

    public override Elector Elector => elector;

    public override bool IsFrozen => log.IsFrozen;

    public override AskElector Begin(StorePathDigest digest, StorePath? name, CandidateValues values, CancellationToken cancellation)
    {
        // mirrors are searched in parallel, while upstreams are queried for the name
        var ahead = Task.Run(() => ProveAhead(digest), cancellation);
        return (path, token) => AskAsync(path, ahead, values, token);
    }

    private (Digest Path, LogEvidence Evidence)? ProveAhead(StorePathDigest digest)
    {
        try
        {
            return mirror.Prove(digest);
        }
        catch (Exception exception) when (exception is SqliteException or InvalidDataException)
        {
            return null; // the caller with the name retries and gets the error
        }
    }

    private async Task<Ballot> AskAsync(
        StorePath path, Task<(Digest Path, LogEvidence Evidence)?> ahead, CandidateValues values, CancellationToken cancellation)
    {
        var key = elector.KeyOf(path);
        var evidence = await ahead is { } proven && proven.Path == Digest.Of(key) ? proven.Evidence
            : await Task.Run(() => mirror.Prove(key), cancellation);
        if (log.IsFrozen || evidence is null)
        {
            return new Ballot.Silent(log.IsFrozen ? SilenceReason.Frozen : SilenceReason.MirrorIncomplete);
        }

        return MapEntry.TryParse(evidence.Map.Value.Span, out var entry)
            ? await PresentAsync(evidence, entry, path, values, cancellation)
            : await AbsentAsync(evidence, path, values, cancellation);
    }

    private async Task<Ballot> PresentAsync(
        LogEvidence evidence, MapEntry entry, StorePath path, CandidateValues values, CancellationToken cancellation)
    {
        if (!log.IsHeldTo(new ProvenEntry(evidence.Head, elector.KeyOf(path), evidence.Map), isOfMirror: true))
        {
            return new Ballot.Silent(SilenceReason.Frozen);
        }

        var value = await values.WaitForAsync(entry.ValueDigest, cancellation)
            ?? (await log.Client.GetValueAsync(entry, cancellation)).Message?.Value.Memory;
        return (evidence with { Value = value }).Judge(elector, path);
    }

    /// <summary>Accepts an absence only under a recent head, to which the mirror catches up first: at most one fetch a second, shared by
    /// all callers.</summary>
    private async Task<Ballot> AbsentAsync(LogEvidence evidence, StorePath path, CandidateValues values, CancellationToken cancellation)
    {
        var view = await ViewAsync(cancellation);
        if (view.View is not { Head: var head })
        {
            return new Ballot.Silent(view.Reason);
        }

        if (head.Content != evidence.Head.Content)
        {
            await mirror.CatchUpAsync().WaitAsync(cancellation);
            var again = await Task.Run(() => mirror.Prove(elector.KeyOf(path)), cancellation);
            if (again is null || again.Head.Content.TreeSize < head.Content.TreeSize)
            {
                return new Ballot.Silent(SilenceReason.MirrorIncomplete);
            }

            if (MapEntry.TryParse(again.Map.Value.Span, out var entry))
            {
                return await PresentAsync(again, entry, path, values, cancellation);
            }

            evidence = again;
        }

        return evidence.Judge(elector, path);
    }

    /// <summary>Returns a fresh view; if the log does not return its head within a second, the view of the last poll.</summary>
    private async Task<ViewResult> ViewAsync(CancellationToken cancellation)
    {
        var fresh = log.ViewAsync(FreshEnough, cancellation);
        await Task.WhenAny(fresh, Task.Delay(FreshEnough, time, cancellation));
        var isDone = fresh.IsCompletedSuccessfully && await fresh is { View: not null } or { Reason: SilenceReason.Frozen };
        return !isDone && log.Recent(pollInterval * 3) is { } recent ? new ViewResult(recent, default) : await fresh;
    }
}
