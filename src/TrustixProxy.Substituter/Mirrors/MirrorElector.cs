using Microsoft.Data.Sqlite;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Mirrors;

/// <summary>Answers for a log out of its mirror: the same proofs as the log's, judged by the same doors. The log is asked for a value at most, and only when no upstream spells it out.</summary>
internal sealed class MirrorElector(Elector.Log elector, WatchedLog log, LogMirror mirror, TimeSpan pollInterval) : ElectorClient
{
    public override Elector Elector => elector;

    public override bool IsFrozen => log.IsFrozen;

    public override AskElector Begin(StorePathDigest digest, StorePath? name, Statements statements, CancellationToken cancellation)
    {
        var ahead = Task.Run(() => ProveAhead(digest), cancellation); // mirrors are looked into beside each other, while upstreams are asked for the name
        return (path, token) => AskAsync(path, ahead, statements, token);
    }

    private (Digest Path, LogEvidence Evidence)? ProveAhead(StorePathDigest digest)
    {
        try
        {
            return mirror.Prove(digest);
        }
        catch (Exception exception) when (exception is SqliteException or InvalidDataException)
        {
            return null; // whoever has the name tries again, and is told
        }
    }

    private async Task<Ballot> AskAsync(StorePath path, Task<(Digest Path, LogEvidence Evidence)?> ahead, Statements statements, CancellationToken cancellation)
    {
        var key = elector.KeyOf(path);
        var evidence = await ahead is { } proven && proven.Path == Digest.Of(key) ? proven.Evidence : await Task.Run(() => mirror.Prove(key), cancellation);
        if (log.IsFrozen || evidence is null)
        {
            return new Ballot.Silent(log.IsFrozen ? SilenceReason.Frozen : SilenceReason.MirrorIncomplete);
        }

        if (!MapEntry.TryParse(evidence.Map.Value.Span, out var entry))
        {
            return await AbsentAsync(evidence, path, cancellation);
        }

        if (!log.IsHeldTo(new ProvenEntry(evidence.Head, key, evidence.Map), isOfMirror: true))
        {
            return new Ballot.Silent(SilenceReason.Frozen);
        }

        var value = await statements.WaitForAsync(entry.ValueDigest, cancellation) ?? (await log.Client.GetValueAsync(entry, cancellation)).Message?.Value.Memory;
        return (evidence with { Value = value }).Judge(elector, path);
    }

    /// <summary>An absence is believed while the mirror is where the log's head was at the last poll.</summary>
    private async Task<Ballot> AbsentAsync(LogEvidence evidence, StorePath path, CancellationToken cancellation)
    {
        var view = await log.ViewAsync(pollInterval * 3, cancellation);
        return view.View is null ? new Ballot.Silent(view.Reason)
            : view.View.Head.Content != evidence.Head.Content ? new Ballot.Silent(SilenceReason.MirrorIncomplete)
            : evidence.Judge(elector, path);
    }
}
