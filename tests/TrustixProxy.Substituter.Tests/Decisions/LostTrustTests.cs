using System.Collections.Frozen;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Revocations;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Substituter.Tests.Decisions;

/// <summary>Writes that take trust away are never lost: they hold at once, and are tried until the disk takes them.</summary>
public sealed class LostTrustTests : IDisposable
{
    private const string RefuseDecisions =
        "CREATE TRIGGER refuse BEFORE UPDATE ON decision BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    private const string Accept = "DROP TRIGGER refuse";

    private readonly TestFolder _directory = new();
    private readonly NixSecretKey _key = NixSecretKey.Generate("proxy-test-1");
    private readonly ManualTime _clock = new();
    private readonly Policy _policy = new([new Elector.Log("alice", "alice", new LogSigner(new byte[32]).Key)]);

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_void_that_the_disk_refuses_holds_and_is_on_the_disk_once_that_takes_it()
    {
        var output = TestOutput.Make();
        var digest = output.Path.Digest;
        using (var state = new StateWriter(_directory.Path))
        {
            var cache = Open(state);
            await cache.KeepAsync(digest, RecordOf(output), output.Path, null);
            await UntilAsync(() => Open(state).Find(digest) is not null);
            state.Database.Ensure(RefuseDecisions);

            _clock.Now += TimeSpan.FromSeconds(1);
            cache.Forget(digest);
            await Task.Delay(1000); // time enough for several tries

            Assert.Null(cache.Find(digest));
            Assert.NotNull(Open(state).Find(digest)); // the disk does not know it yet
            state.Database.Ensure(Accept);
            await UntilAsync(() => Open(state).Find(digest) is null);
        }

        using var again = new StateWriter(_directory.Path);
        Assert.Null(Open(again).Find(digest));
    }

    [Fact]
    public async Task Where_too_many_voids_wait_nothing_that_was_decided_before_is_read_from_the_disk_any_more()
    {
        var digests = Enumerable.Range(0, 3).Select(_ => TestOutput.Make().Path.Digest).ToList();
        using var state = new StateWriter(_directory.Path);
        var store = new DecisionStore(state.Database);
        digests.ForEach(digest => store.Keep(digest, [1], _clock.Now));
        state.Database.Ensure(RefuseDecisions);
        var pending = new PendingWrites(state, store, maxVoids: 2);

        digests.ForEach(digest => pending.WriteVoid(digest, new PendingDecision([2], null, _clock.Now), _clock.Now));

        Assert.Equal(_clock.Now, pending.DistrustedUntil);
        Assert.Equal([true, true, false], digests.Select(digest => pending.Find(digest) is not null));
        state.Database.Ensure(Accept);
        await UntilAsync(() => store.DistrustedUntil() > _clock.Now && digests.Take(2).All(digest => store.Find(digest) is [2]));
    }

    [Fact]
    public async Task What_was_decided_while_the_disk_was_not_trusted_is_not_read_and_what_is_decided_later_is()
    {
        var output = TestOutput.Make();
        using var state = new StateWriter(_directory.Path);
        await Open(state).KeepAsync(output.Path.Digest, RecordOf(output), output.Path, null);
        await UntilAsync(() => Open(state).Find(output.Path.Digest) is not null);

        new DecisionStore(state.Database).Distrust(_clock.Now);
        Assert.Null(Open(state).Find(output.Path.Digest));

        _clock.Now += TimeSpan.FromSeconds(1);
        await Open(state).KeepAsync(output.Path.Digest, RecordOf(output), output.Path, null);
        await UntilAsync(() => Open(state).Find(output.Path.Digest) is not null);
    }

    [Fact]
    public void A_revocation_that_the_disk_refuses_holds_and_is_written_once_the_disk_takes_it()
    {
        var seal = new RecordSeal(_key, []);
        using var store = new RevocationStore(_directory.Path, seal);
        using var state = new StateWriter(_directory.Path);
        state.Database.Ensure("CREATE TRIGGER refuse BEFORE INSERT ON revocation BEGIN SELECT RAISE(ABORT, 'the disk is full'); END");
        var register = new RevocationRegister(store, seal, [], _clock, NullLogger.Instance, new WatchedHeads([]));
        var subject = new RevokedSubject.Path(TestOutput.PathOf("x").Digest);

        register.Give(subject, isUndone: false, "broken");
        register.LookOnDisk();

        Assert.NotNull(register.Standing.Find(subject.Digest));
        Assert.True(register.IsAheadOfDisk);
        Assert.Empty(store.Load());
        state.Database.Ensure(Accept);
        register.LookOnDisk();
        Assert.False(register.IsAheadOfDisk);
        Assert.Equal(subject, Assert.Single(store.Load()).Subject);
    }

    private DecisionCache Open(StateWriter state)
    {
        var stores = new DecisionStores(state, new DecisionStore(state.Database), new SignatureAudit(state.Database), null);
        var seal = new DecisionSeal(new RecordSeal(_key, []), _policy);
        var trust = new DecisionTrust(
            _policy, seal, new NarInfoSigner(_key), () => FrozenSet<string>.Empty, () => StandingRevocations.None, new ProvenHeads(),
            new WitnessedVotes(_policy, (_, _) => null));
        return new DecisionCache(stores, trust, 1 << 20, _clock, NullLogger.Instance);
    }

    private DecisionRecord RecordOf(TestOutput output)
    {
        var narInfo = output.NarInfo();
        Assert.True(OutputClaim.TryReadSigned(
            narInfo with { Signatures = [_key.Sign(narInfo.Fingerprint)] }, [_key.PublicKey], out var claim, out _));
        var ballots = new Dictionary<string, Ballot> { ["alice"] = new Ballot.Claimed(claim, new VoteProof.ByLog(0, 1, IsTied: true)) };
        return DecisionRecord.Of(
            _policy.Decide(claim.Path, ballots), new NarHints("none", claim.NarHash, claim.NarSize, null, null, [], "main"), _clock.Now);
    }
}
