using System.Collections.Frozen;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Revocations;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Tests.Decisions;

/// <summary>Tests that measure this process: no other runs beside them.</summary>
[CollectionDefinition(nameof(MeasuredAlone), DisableParallelization = true)]
public sealed class MeasuredAlone;

/// <summary>Answers that are kept ready in memory: what makes them void, and how much room they take.</summary>
[Collection(nameof(MeasuredAlone))]
public sealed class WarmDecisionTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("trustix-test-").FullName;
    private readonly NixSecretKey _key = NixSecretKey.Generate("proxy-test-1");
    private readonly Elector.Log[] _logs =
        [.. new[] { "alice", "bob", "carol" }
            .Select(name => new Elector.Log(name, name, new LogSigner(NixSecretKey.Generate(name).Key).Key))];
    private readonly ManualTime _clock = new();
    private FrozenSet<string> _frozen = [];
    private readonly ProvenHeads _proven = new();
    private StandingRevocations _revoked = StandingRevocations.None;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task An_answer_is_the_same_object_while_it_holds_and_is_read_from_disk_after_a_restart()
    {
        var output = TestOutput.Make();
        using (var state = new StateWriter(_directory))
        {
            var cache = Open(state);
            var kept = await KeepAsync(cache, output);
            Assert.Same(kept, cache.FindInMemory(output.Path.Digest.ToString()));
            Assert.Same(kept, cache.Find(output.Path.Digest));
        }

        using var againState = new StateWriter(_directory);
        var again = Open(againState);
        Assert.Null(again.FindInMemory(output.Path.Digest.ToString())); // nothing is read at the start
        Assert.Equal(Outcome.Agreed, again.Find(output.Path.Digest)?.Record.Outcome);
        Assert.NotNull(again.FindInMemory(output.Path.Digest.ToString()));
    }

    [Fact]
    public async Task An_answer_ends_when_its_decision_expires()
    {
        var output = TestOutput.Make();
        using var state = new StateWriter(_directory);
        var cache = Open(state);
        await KeepAsync(cache, output);

        _clock.Now += DecisionRecord.AgreementLifetime - TimeSpan.FromSeconds(1);
        Assert.NotNull(cache.FindInMemory(output.Path.Digest.ToString()));

        _clock.Now += TimeSpan.FromSeconds(1);
        Assert.Null(cache.FindInMemory(output.Path.Digest.ToString()));
        Assert.Null(cache.Find(output.Path.Digest));
    }

    [Fact]
    public async Task An_answer_ends_when_too_many_of_its_voters_freeze_and_comes_back_with_them()
    {
        var output = TestOutput.Make();
        using var state = new StateWriter(_directory);
        var cache = Open(state);
        var kept = await KeepAsync(cache, output); // by alice and bob

        foreach (var (names, stands) in new[] { ("carol", true), ("bob", false), ("", true), ("alice carol", false) })
        {
            _frozen = names.Split(' ', StringSplitOptions.RemoveEmptyEntries).ToFrozenSet();
            for (var i = 0; i < 2; i++)
            {
                Assert.Equal(stands ? kept : null, cache.FindInMemory(output.Path.Digest.ToString()));
            }
        }
    }

    [Fact]
    public async Task An_answer_ends_when_its_decision_is_forgotten_and_what_was_read_before_does_not_bring_it_back()
    {
        var output = TestOutput.Make();
        using var state = new StateWriter(_directory);
        var cache = Open(state);
        var kept = await KeepAsync(cache, output);
        cache.Forget(output.Path.Digest);
        Assert.Null(cache.FindInMemory(output.Path.Digest.ToString()));
        Assert.Null(cache.Find(output.Path.Digest));

        var memory = new DecisionMemory(1 << 20);
        var version = memory.Version; // here the disk is read, and meanwhile:
        memory.Remove(output.Path.Digest);
        memory.Refill(output.Path.Digest, kept, version);
        Assert.Null(memory.Find(output.Path.Digest.ToString()));
    }

    [Fact]
    public async Task A_reader_that_comes_while_a_decision_is_voided_does_not_put_it_back()
    {
        var output = TestOutput.Make();
        using var state = new StateWriter(_directory);
        var cache = Open(state);
        await KeepAsync(cache, output);
        var looks = 0;
        _clock.OnLook = () =>
        {
            if (looks++ is 0)
            {
                cache.Find(output.Path.Digest);
            }
        };

        cache.Forget(output.Path.Digest);
        _clock.OnLook = null;

        Assert.True(looks > 1);
        Assert.Null(cache.FindInMemory(output.Path.Digest.ToString()));
        Assert.Null(cache.Find(output.Path.Digest));
    }

    [Fact]
    public async Task An_answer_of_another_policy_is_never_found()
    {
        var output = TestOutput.Make();
        using (var state = new StateWriter(_directory))
        {
            var cache = Open(state);
            await KeepAsync(cache, output);
        }

        using var otherState = new StateWriter(_directory);
        var other = Open(otherState, quorum: 3);
        Assert.Null(other.Find(output.Path.Digest));
        Assert.Null(other.FindInMemory(output.Path.Digest.ToString()));
    }

    [Fact]
    public void However_many_there_are_they_stay_within_their_room_and_those_that_are_read_stay()
    {
        var (first, memory) = (DecisionOf(TestOutput.Make()), new DecisionMemory(200_000));
        memory.Set(first.Record.Claim!.Path.Digest, first);

        for (var i = 0; i < 500; i++)
        {
            var next = DecisionOf(TestOutput.Make());
            memory.Set(next.Record.Claim!.Path.Digest, next);
            memory.Set(next.Record.Claim!.Path.Digest, next); // in its own place
            Assert.InRange(memory.Size, 1, 200_000);
            Assert.Same(first, memory.Find(first.Record.Claim!.Path.Digest.ToString()));
        }

        var huge = new Decision(first.Record, new byte[300_000]);
        memory.Set(first.Record.Claim!.Path.Digest, huge);
        Assert.Null(memory.Find(first.Record.Claim!.Path.Digest.ToString()));
        Assert.InRange(memory.Size, 1, 200_000);
    }

    [Fact]
    public async Task What_a_decision_is_reckoned_to_take_covers_what_it_does_take()
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(
            AppContext.BaseDirectory, "TrustixProxy.CrashingProxy.dll"), "decision-memory", "2000"])
        { RedirectStandardOutput = true })!;
        var figures = (await process.StandardOutput.ReadToEndAsync()).Trim().Split(' ')
            .Select(figure => long.Parse(figure, CultureInfo.InvariantCulture)).ToList();
        var (taken, reckoned) = (figures[0], figures[1]);

        Assert.InRange(taken, reckoned / 2, reckoned + (reckoned / 10));
    }

    [Fact]
    public async Task Answers_out_of_memory_are_those_that_were_given_first_with_their_headers()
    {
        var (output, absent) = (TestOutput.Make(), TestOutput.PathOf("absent"));
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(output, "alice", "bob", "carol").StartAsync();

        foreach (var (path, status, type) in new[] { (output.Path, HttpStatusCode.OK, "text/x-nix-narinfo"),
            (absent, HttpStatusCode.NotFound, "text/plain; charset=utf-8") })
        {
            var first = await proxy.AskAsync(path);
            using var warm = await proxy.Client.GetAsync(new Uri(proxy.Url, $"{path.Digest}.narinfo"));
            using var head = await proxy.Client.SendAsync(
                new HttpRequestMessage(HttpMethod.Head, new Uri(proxy.Url, $"{path.Digest}.narinfo")));

            Assert.Equal((status, status), (first.Status, warm.StatusCode));
            Assert.Equal((first.Text, first.Decision),
                (await warm.Content.ReadAsStringAsync(), warm.Headers.GetValues("X-Trustix-Decision").Single()));
            Assert.Equal((type, (long?)Encoding.UTF8.GetByteCount(first.Text)),
                (warm.Content.Headers.ContentType?.ToString(), warm.Content.Headers.ContentLength));
            Assert.Equal((status, warm.Content.Headers.ContentLength), (head.StatusCode, head.Content.Headers.ContentLength));
        }
    }

    [Theory]
    [InlineData(12, false)]
    [InlineData(13, true)]
    public async Task An_answer_stands_on_no_vote_that_was_taken_in_since_its_log_was_revoked(long since, bool stands)
    {
        var output = TestOutput.Make();
        using var state = new StateWriter(_directory);
        var cache = Open(state);
        await KeepAsync(cache, output); // on leaf 12 of alice and bob
        var revoked = new Revocation(1, new RevokedSubject.Log(_logs[0].Key.LogId, since), IsUndone: false, "broken into", _clock.Now);

        _revoked = new StandingRevocations(
            [revoked], new Dictionary<string, string> { [_logs[0].Key.LogId] = "alice" }.ToFrozenDictionary());
        Assert.Equal(stands, cache.FindInMemory(output.Path.Digest.ToString()) is not null);
        Assert.Equal(stands, cache.Find(output.Path.Digest) is not null);

        _revoked = StandingRevocations.None;
        Assert.NotNull(cache.Find(output.Path.Digest));
    }

    [Fact]
    public async Task What_another_replica_decided_is_taken_in_unless_a_later_word_is_known_here()
    {
        var output = TestOutput.Make();
        var seal = new DecisionSeal(new RecordSeal(_key, []), PolicyOf(null));
        SharedDecision Shared() =>
            new(seal.Seal(output.Path.Digest, DecisionOf(output).Record),
            new SharedBundle(new Lazy<Digest>(Digest.Of([1])), new Lazy<byte[]>([1])));
        using var state = new StateWriter(_directory);
        var cache = Open(state);
        var first = Shared();

        Assert.Null(await cache.AdoptAsync(output.Path.Digest, first with { Bundle = null })); // what it rests on has to be there
        using var counting = new System.Diagnostics.Metrics.MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            listener.EnableMeasurementEvents(instrument)
        };
        var counted = new System.Collections.Concurrent.ConcurrentQueue<string>();
        counting.SetMeasurementEventCallback<long>(
            (instrument, _, tags, _) => counted.Enqueue($"{instrument.Name} {(tags.Length > 0 ? tags[0].Value : "")}"));
        counting.Start();
        Assert.Null(await cache.AdoptAsync(TestOutput.PathOf("other").Digest, first));
        Assert.Contains("trustix_proxy_records_refused mac", counted);
        Assert.NotNull(await cache.AdoptAsync(output.Path.Digest, first));
        Assert.Null(await cache.AdoptAsync(output.Path.Digest, first));

        _clock.Now += TimeSpan.FromMinutes(1);
        var second = Shared();
        cache.Forget(output.Path.Digest);
        Assert.Null(cache.Find(output.Path.Digest));
        Assert.Null(await cache.AdoptAsync(output.Path.Digest, first)); // an old agreement does not come back

        _clock.Now += TimeSpan.FromMinutes(1);
        Assert.NotNull(await cache.AdoptAsync(output.Path.Digest, Shared()));
        Assert.Null(await cache.AdoptAsync(output.Path.Digest, second));

        _clock.Now += DecisionRecord.AgreementLifetime;
        Assert.Null(await cache.AdoptAsync(output.Path.Digest, second)); // age is what the seal says
    }

    [Theory]
    [InlineData(null)]
    [InlineData(3)]
    public async Task What_is_voided_under_the_configuration_before_is_voided_under_the_one_that_took_its_place(int? quorum)
    {
        var output = TestOutput.Make();
        using var state = new StateWriter(_directory);
        var before = Open(state, quorum);
        await KeepAsync(before, output);
        var after = Open(state, before: before);
        before.HandOver(after);
        await KeepAsync(after, output);

        before.Forget(output.Path.Digest);

        Assert.Null(after.FindInMemory(output.Path.Digest.ToString()));
        Assert.Null(after.Find(output.Path.Digest));
    }

    [Fact]
    public async Task What_is_in_memory_stays_there_under_the_same_policy_and_no_other()
    {
        var output = TestOutput.Make();
        using var state = new StateWriter(_directory);
        var before = Open(state);
        await KeepAsync(before, output);

        Assert.NotNull(Open(state, before: before).FindInMemory(output.Path.Digest.ToString()));
        Assert.Null(Open(state, quorum: 3, before: before).FindInMemory(output.Path.Digest.ToString()));
    }

    private DecisionCache Open(StateWriter state, int? quorum = null, DecisionCache? before = null)
    {
        var policy = PolicyOf(quorum);
        var stores = new DecisionStores(state, new DecisionStore(state.Database), new SignatureAudit(state.Database), null);
        var seal = new DecisionSeal(new RecordSeal(_key, []), policy);
        var trust = new DecisionTrust(policy, seal, new NarInfoSigner(_key), () => _frozen, () => _revoked, _proven,
            new WitnessedVotes(policy, (_, _) => null));
        return new DecisionCache(stores, trust, 1 << 20, _clock, NullLogger.Instance, before);
    }

    private Task<Decision> KeepAsync(DecisionCache cache, TestOutput output) =>
        cache.KeepAsync(output.Path.Digest, DecisionOf(output).Record, output.Path, null);

    private Policy PolicyOf(int? quorum) => new(_logs, quorum);

    private Decision DecisionOf(TestOutput output)
    {
        var statement = output.Statement;
        var narInfo = new NarInfo
        {
            StorePath = output.Path,
            Url = "nar",
            Compression = "none",
            FileHash = statement.NarHash,
            NarHash = statement.NarHash,
            NarSize = statement.NarSize,
            References = [.. statement.References],
        };
        Assert.True(OutputClaim.TryReadSigned(
            narInfo with { Signatures = [_key.Sign(narInfo.Fingerprint)] }, [_key.PublicKey], out var claim, out var signature));
        var ballots = _logs.Take(2)
            .ToDictionary(log => log.Name, Ballot (log) => new Ballot.Claimed(claim, new VoteProof.ByLog(12, 34, IsTied: true)));
        ballots.Add("carol", new Ballot.Silent(SilenceReason.Unreachable));
        var record = DecisionRecord.Of(PolicyOf(null).Decide(claim.Path, ballots),
            new NarHints("none", statement.NarHash, statement.NarSize, null, null, [signature], "main"), _clock.Now);
        return new Decision(record, Encoding.UTF8.GetBytes(new NarInfoSigner(_key).Render(record).Text));
    }
}
