using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Supervision;
using TrustixProxy.LogNode.Sequencing;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.LogNode.Witnessing;

/// <summary>Has witnesses cosign a log's newest head: the checkpoints of the log and of its map-head log.</summary>
/// <remarks>
/// <code>
/// head, durable ──▶ both checkpoints to all witnesses ──▶ quorum: cosignatures durable ──▶ visible
///                                                     ──▶ none:   asked again after the interval
/// </code>
/// A head is durable before any witness sees it, so no size is ever offered with two roots. A witness that knows a larger size shows
/// that this state may be an old copy. Nobody signs that answer, so one witness is only set aside. When no quorum is left without those
/// that say so, nothing is signed any more; nor once a larger checkpoint under the log's own key was seen. The empty log's checkpoint is
/// not offered.</remarks>
/// <param name="log">The log's options; they name an origin and witnesses.</param>
/// <param name="sequencer">Has the heads.</param>
/// <param name="database">Has the hashes for proofs.</param>
/// <param name="clients">The witnesses.</param>
/// <param name="metrics">Counts rounds.</param>
internal sealed class Cosigner(HostedLogOptions log, Sequencer sequencer, LogDatabase database, IReadOnlyList<WitnessClient> clients,
    WitnessMetrics metrics, TimeProvider time, ILogger logger)
{
    /// <summary>Age at which the cosignatures of a head that did not move are renewed; at least an interval.</summary>
    private static readonly TimeSpan Renewal = TimeSpan.FromSeconds(30);

    /// <summary>Shortest time between two messages that witnesses can cause.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private readonly WitnessOptions _options = log.Witnesses!;
    private readonly CosigningRound _round = new(clients, log.Witnesses!.Policy, time);
    private readonly VerifierKey _key = VerifierKey.OfLog(log.Origin!, log.Signer.Key);
    private readonly VerifierKey _mapHeadKey = VerifierKey.OfLog(log.Origin + Checkpoint.MapHeads, log.Signer.Key);
    private readonly HashSet<(int Tree, string Name)> _ahead = [];
    private PublishedHead _offered = sequencer.Newest; // with all its cosignatures
    private long? _renewedAt; // a timestamp of the clock
    private volatile CosigningStatus _status = new(null, 0, time.GetUtcNow());
    private string _told = "";
    private long? _toldAt; // a timestamp of the clock

    /// <summary>What the last round came to.</summary>
    public CosigningStatus Status => _status;

    /// <summary>Asks at an interval.</summary>
    public SupervisedLoop Loop => new("cosigner", log.Name, _options.Interval, AskAsync);

    /// <summary>One round.</summary>
    public async Task AskAsync(CancellationToken cancellation)
    {
        var newest = sequencer.Newest;
        var isSame = newest.MapHeadSize == _offered.MapHeadSize;
        if (isSame && _renewedAt is { } at && time.GetElapsedTime(at) < Renewal)
        {
            return;
        }

        _offered = isSame ? _offered : newest;
        var known = sequencer.WitnessedSizes;
        var rounds = await OfferAsync(_offered, known.Log, known.MapHeads, cancellation);
        var quorumAt = Take(rounds);
        var mayShow = _offered.Size > 0 && (quorumAt is not null || !_options.IsWithheld);
        var state = new WitnessState(
            mayShow && rounds.Any(round => round.Cosignatures.Length > 0) ? _offered : null, rounds[0].Sizes, rounds[1].Sizes,
            [.. rounds.SelectMany(round => round.Shown).Select(note => note.ToBytes())]);
        if (state is not { Cosigned: null, Shown.IsEmpty: true } || (state.LogSizes, state.MapHeadSizes) != known)
        {
            await sequencer.KeepAsync(state, cancellation);
        }

        _renewedAt = _offered.Size is 0 || (quorumAt is not null && state.Cosigned is not null) ? time.GetTimestamp() : null;
        sequencer.Begin();
        Tell(rounds, quorumAt);
    }

    /// <summary>Takes in what witnesses answered. Returns the time of the newest cosignature, the older of both checkpoints', if the head
    /// has its quorum; else null.</summary>
    private DateTimeOffset? Take(CosigningResult[] rounds)
    {
        foreach (var (tree, round) in rounds.Index())
        {
            _ahead.ExceptWith(round.Cosigners.Select(name => (tree, name)));
            _ahead.UnionWith(round.Ahead.Select(name => (tree, name)));
        }

        var ahead = Ahead;
        var others = clients.Select(client => client.Witness.Name).Where(name => !ahead.Contains(name)).ToHashSet();
        sequencer.Suspicion = _options.Policy.Quorum!.IsMetBy(others) ? null
            : $"these witnesses know another tree of this log: {string.Join(", ", ahead)}. Its state directory may be an old copy: "
                + "restore the newest state, or start a new log with a new key";
        if (_offered.Size is 0)
        {
            return null;
        }

        var notes = _offered.Notes!.With(rounds[0].Cosignatures, rounds[1].Cosignatures);
        _offered = _offered with { NotesOnDemand = new Lazy<HeadNotes>(notes) };
        var (now, policy) = (time.GetUtcNow(), _options.Policy);
        return (policy.Count(notes.Log, now), policy.Count(notes.MapHeads, now)) is (
            { IsQuorum: true, NewestAt: { } log }, { IsQuorum: true, NewestAt: { } mapHeads }) ? log < mapHeads ? log : mapHeads : null;
    }

    /// <summary>Offers a head's two checkpoints.</summary>
    private Task<CosigningResult[]> OfferAsync(PublishedHead head, ImmutableDictionary<string, long> logSizes,
        ImmutableDictionary<string, long> mapHeadSizes, CancellationToken cancellation) => Task.WhenAll(
            head.Size is 0 ? Task.FromResult(CosigningResult.None(logSizes))
                : _round.AskAsync(Offer(Tree.Log, head.Notes!.Log, _key, head.Size), logSizes, cancellation),
            _round.AskAsync(Offer(Tree.MapHeads, head.Notes!.MapHeads, _mapHeadKey, head.MapHeadSize), mapHeadSizes, cancellation));

    /// <summary>Offers a note with the log's signature alone: a witness need not know others.</summary>
    private OfferedCheckpoint Offer(Tree tree, SignedNote note, VerifierKey key, long size) => new(
        SignedNote.Of(note.Text, [.. note.Signatures.Where(signature => signature.IsOf(key))]), key, size,
        old => database.Read(reader => MerkleTree.ConsistencyProof(old, size, TileNodes.Of(reader, tree))),
        () => tree is Tree.Log ? sequencer.Newest.Size : sequencer.Newest.MapHeadSize);

    /// <summary>Names of the witnesses that say they know another tree, and have not cosigned since.</summary>
    private SortedSet<string> Ahead => new(_ahead.Select(said => said.Name), StringComparer.Ordinal);

    /// <summary>Publishes what a round came to, and logs it if it changed: at once if signing stops, else once a minute at most.</summary>
    private void Tell(CosigningResult[] rounds, DateTimeOffset? quorumAt)
    {
        var problems = string.Join("; ", rounds.SelectMany(round => round.Failures).Select(failure => $"{failure.Key}: {failure.Value}")
            .Concat(Ahead.Select(name => $"{name}: knows another tree")).Distinct().Order(StringComparer.Ordinal));
        var isEnough = quorumAt is not null || _offered.Size is 0; // the empty log needs none
        var asked = rounds.Skip(_offered.Size is 0 ? 1 : 0).ToList();
        _status = new CosigningStatus(isEnough ? null : $"its newest head lacks its quorum of witnesses: {problems}",
            clients.Count(client => asked.TrueForAll(round => round.Cosigners.Contains(client.Witness.Name))),
            quorumAt ?? (_offered.Size is 0 ? time.GetUtcNow() : _status.QuorumAt));
        metrics.Asked(log.Name, sequencer.Refusal is not null ? "stopped" : isEnough ? "cosigned" : "no_quorum");
        var state = $"{isEnough}{sequencer.Refusal} {problems}";
        if (state == _told || (sequencer.Refusal is null && _toldAt is { } at && time.GetElapsedTime(at) < Pause))
        {
            return;
        }

        (_told, _toldAt) = (state, time.GetTimestamp());
        if (sequencer.Refusal is { } reason)
        {
            logger.SigningStopped(log.Name, reason);
        }
        else if (problems.Length > 0)
        {
            logger.WitnessesFailed(log.Name, isEnough ? "there is a quorum without them" : "the head lacks its quorum", problems);
        }
        else
        {
            logger.WitnessesWork(log.Name);
        }
    }
}
