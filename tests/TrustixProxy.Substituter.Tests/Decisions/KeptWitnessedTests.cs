using System.Collections.Frozen;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Revocations;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Substituter.Tests.Decisions;

/// <summary>A kept agreement that rests on a witnessed log ends when a fresh decision would find that log unwitnessed.</summary>
public sealed class KeptWitnessedTests : IDisposable
{
    private static readonly TimeSpan Within = TimeSpan.FromHours(1);

    private readonly TestFolder _directory = new();
    private readonly ManualTime _clock = new();
    private readonly NixSecretKey _key = NixSecretKey.Generate("kept-1");
    private readonly TestOutput _output = TestOutput.Make();
    private readonly MemoryLog _log = new();
    private readonly Policy _policy;

    /// <summary>When witnesses were last seen to cosign the log's head, as the proxy's watch knows.</summary>
    private DateTimeOffset? _seenAt;

    public KeptWitnessedTests()
    {
        var witness = new TestWitness("w1", 1);
        Assert.True(WitnessPolicy.TryParse(
            Encoding.UTF8.GetBytes($"{witness.Line}quorum w1\n"), mustDemand: true, out var witnesses, out _));
        var key = _log.Signer.Key;
        var demand = new WitnessDemand("log.alice.example/nix", key, witnesses, Within);
        _policy = new Policy([new Elector.Log("alice", "alice", key) { Witnesses = demand }], 1);
    }

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task In_memory_and_on_disk_it_holds_no_longer_than_the_cosignatures_of_its_vote()
    {
        using var state = new StateWriter(_directory.Path);
        var cache = Open(state);
        await KeepAsync(cache, state, Record());

        _clock.Now += Within;
        Assert.NotNull(cache.FindInMemory(_output.Path.Digest.ToString()));
        Assert.NotNull(Open(state).Find(_output.Path.Digest));
        _clock.Now += TimeSpan.FromSeconds(1);
        Assert.Null(cache.FindInMemory(_output.Path.Digest.ToString()));
        Assert.Null(cache.Find(_output.Path.Digest));
        Assert.Null(Open(state).Find(_output.Path.Digest));
    }

    [Fact]
    public async Task It_holds_on_while_witnesses_cosign_heads_that_continue_its_head_and_again_once_they_do()
    {
        using var state = new StateWriter(_directory.Path);
        var cache = Open(state);
        await KeepAsync(cache, state, Record());

        _seenAt = _clock.Now + Within;
        _clock.Now += 2 * Within;
        Assert.NotNull(cache.FindInMemory(_output.Path.Digest.ToString()));
        _clock.Now += TimeSpan.FromSeconds(1);
        Assert.Null(cache.FindInMemory(_output.Path.Digest.ToString()));
        _seenAt = _clock.Now;
        Assert.NotNull(cache.FindInMemory(_output.Path.Digest.ToString()));
        Assert.NotNull(Open(state).Find(_output.Path.Digest));
    }

    [Fact]
    public async Task Another_replicas_agreement_is_adopted_only_while_its_cosignatures_hold()
    {
        using var state = new StateWriter(_directory.Path);
        var record = Record();
        var shared = new SharedDecision(
            new DecisionSeal(new RecordSeal(_key, []), _policy).Seal(_output.Path.Digest, record),
            new SharedBundle(new Lazy<Digest>(default(Digest)), new Lazy<byte[]>([])));

        _clock.Now += Within + TimeSpan.FromSeconds(1);
        Assert.Null(await Open(state).AdoptAsync(_output.Path.Digest, shared));
        _clock.Now -= TimeSpan.FromSeconds(1);
        Assert.NotNull(await Open(state).AdoptAsync(_output.Path.Digest, shared));
    }

    [Fact]
    public async Task A_record_of_an_earlier_version_holds_only_while_the_log_is_seen_to_be_witnessed()
    {
        using var state = new StateWriter(_directory.Path);
        var cache = Open(state);
        await cache.KeepAsync(_output.Path.Digest, Record(isTimeKept: false), _output.Path, null);

        Assert.Null(cache.Find(_output.Path.Digest));
        _seenAt = _clock.Now;
        Assert.NotNull(cache.Find(_output.Path.Digest));
    }

    [Fact]
    public void Against_a_later_poll_it_is_held_without_a_vote_whose_cosignatures_are_too_old()
    {
        using var state = new StateWriter(_directory.Path);
        var (cache, record) = (Open(state), Record());
        var later = _policy.Decide(_output.Path, new Dictionary<string, Ballot>
        {
            ["alice"] = new Ballot.Silent(SilenceReason.Unwitnessed),
        });

        Assert.True(cache.StandsBeside(record, later));
        _clock.Now += Within + TimeSpan.FromSeconds(1);
        Assert.False(cache.StandsBeside(record, later));
        _seenAt = _clock.Now;
        Assert.True(cache.StandsBeside(record, later));
    }

    /// <summary>Keeps a decision in memory and on the disk.</summary>
    private async Task KeepAsync(DecisionCache cache, StateWriter state, DecisionRecord record)
    {
        await cache.KeepAsync(_output.Path.Digest, record, _output.Path, null);
        await Eventually.UntilAsync(() => Open(state).Find(_output.Path.Digest) is not null);
    }

    private DecisionCache Open(StateWriter state)
    {
        var stores = new DecisionStores(state, new DecisionStore(state.Database), new SignatureAudit(state.Database), null);
        var seal = new DecisionSeal(new RecordSeal(_key, []), _policy);
        var trust = new DecisionTrust(
            _policy, seal, new NarInfoSigner(_key), () => FrozenSet<string>.Empty, () => StandingRevocations.None, new ProvenHeads(),
            new WitnessedVotes(_policy, (_, size) => size <= 1 ? _seenAt : null));
        return new DecisionCache(stores, trust, 1 << 20, _clock, NullLogger.Instance);
    }

    /// <summary>Makes an agreement under a head that witnesses cosign now.</summary>
    private DecisionRecord Record(bool isTimeKept = true)
    {
        if (_log.Leaves.Count is 0)
        {
            _log.Add(_output.Statement.Key, _output.Statement.Value);
        }

        var seen = new CheckpointVerdict.Witnessed(new Checkpoint("x", 1, default), ["w1"], _clock.Now);
        var evidence = new LogEvidence(
            _log.Head, _log.MapValue(_output.Statement.Key, _log.Head.Content.MapRoot)!, [], _output.Statement.Value)
        {
            Witnessed = isTimeKept ? seen : null,
        };
        var verdict = _policy.Decide(_output.Path, new Dictionary<string, Ballot>
        {
            ["alice"] = evidence.Judge((Elector.Log)_policy.Electors[0], _output.Path),
        });
        return DecisionRecord.Of(
            verdict, new NarHints("none", verdict.Granted!.NarHash, verdict.Granted.NarSize, null, null, [], "main"), _clock.Now);
    }
}
