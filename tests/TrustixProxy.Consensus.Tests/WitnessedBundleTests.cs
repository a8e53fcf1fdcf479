using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;
using static TrustixProxy.Consensus.Tests.WitnessedLog;

namespace TrustixProxy.Consensus.Tests;

/// <summary>A bundle shows offline that the witnesses which the policy demands have seen the head of each vote.</summary>
public sealed class WitnessedBundleTests
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    [Fact]
    public void A_bundle_carries_both_checkpoints_and_its_verifier_names_who_has_seen_the_head()
    {
        var bundle = BundleOf(Seen(Now));

        Assert.True(DecisionBundle.TryVerify(bundle, TestPolicy, out _, out var verdict, out var error), error.ToString());

        var notes = JsonNode.Parse(bundle)!["answers"]![0]!["log"]!["checkpoints"]!.AsArray().Select(note => note!.GetValue<string>());
        Assert.Equal([(Origin, "1"), ($"{Origin}/mapheads", "2")], notes.Select(note => (note.Split('\n')[0], note.Split('\n')[1])));
        var vote = Assert.IsType<VoteProof.ByLog>(Assert.IsType<Ballot.Claimed>(verdict!.Answers[0].Ballot).Proof);
        Assert.Equal<string>(["w1", "w2"], vote.Evidence!.Witnessed!.Witnesses);
        Assert.Equal(Now, vote.Evidence.Witnessed.NewestAt);
    }

    [Fact]
    public void A_proven_absence_carries_them_too()
    {
        var empty = new MemoryLog(Memory.Signer);
        var evidence = new LogEvidence(empty.Head, empty.MapValue(Output.Statement.Key, empty.Head.Content.MapRoot)!, null, null)
        {
            Witnessed = Seen(Now, empty),
        };
        var bundle = BundleOfBallot(evidence.Judge(Alice, Output.Path));

        Assert.True(DecisionBundle.TryVerify(bundle, TestPolicy, out var read, out _, out var error), error.ToString());
        Assert.Equal(Outcome.Undecided, read.Outcome);
        Assert.Equal(DecisionBundleError.Checkpoint, Changed(bundle, log => log.Remove("checkpoints")));
    }

    [Fact]
    public void A_head_without_its_own_checkpoints_is_refused()
    {
        var bundle = BundleOf(Seen(Now));
        var other = new MemoryLog(Memory.Signer);
        other.Add(Output.Statement.Key, [1]);
        JsonArray Of(params string?[] notes) => [.. notes.Select(note => (JsonNode?)note)];
        var (mine, theirs) = (Seen(Now).Notes, Seen(Now, other).Notes);

        Assert.Equal(DecisionBundleError.Checkpoint, Changed(bundle, log => log.Remove("checkpoints")));
        foreach (var notes in new string?[][]
        {
            [], [mine[0]], [mine[1], mine[0]], [mine[0], mine[0]], [.. mine, mine[1]], [null, null], ["", ""], [mine[0], null],
            [.. theirs], [mine[0], theirs[1]], [theirs[0], mine[1]], [mine[0] + "x", mine[1]],
        })
        {
            var error = Changed(bundle, log => log["checkpoints"] = Of(notes));
            Assert.True(error is DecisionBundleError.Checkpoint, $"{error}: {string.Join('|', notes)}");
        }
    }

    [Fact]
    public void Too_few_cosignatures_or_old_ones_are_refused_and_so_is_one_that_is_forged()
    {
        var bundle = BundleOf(Seen(Now));
        DecisionBundleError With(Func<string, string> change) =>
            Changed(bundle, log => log["checkpoints"]![1] = change(log["checkpoints"]![1]!.GetValue<string>()));

        Assert.Equal(DecisionBundleError.Witnesses, With(note => string.Concat(note.Split('\n')[..^2].Select(line => $"{line}\n"))));
        Assert.Equal(DecisionBundleError.Checkpoint, With(Forge));
        Assert.Equal(DecisionBundleError.Witnesses, Refused(BundleOf(Seen(Now), decidedAt: Now + Within + TimeSpan.FromSeconds(1))));
        Assert.Equal(DecisionBundleError.Witnesses, Refused(BundleOf(Seen(Now), decidedAt: Now - TimeSpan.FromSeconds(301))));
        Assert.True(DecisionBundle.TryVerify(BundleOf(Seen(Now), decidedAt: Now + Within), TestPolicy, out _, out _, out _));
    }

    [Fact]
    public void A_log_that_demands_no_witnesses_has_no_checkpoints_in_either_version()
    {
        var plain = new Policy([Alice with { Witnesses = null }], 1);
        var bundle = BundleOf(null, policy: plain);

        Assert.True(DecisionBundle.TryVerify(bundle, plain, out _, out _, out _));
        Assert.DoesNotContain("checkpoints", Encoding.UTF8.GetString(bundle), StringComparison.Ordinal);
        var notes = new JsonArray([.. Seen(Now).Notes.Select(note => (JsonNode)note)]);
        Assert.Equal(DecisionBundleError.Checkpoint, Changed(bundle, log => log["checkpoints"] = notes, plain));
    }

    [Fact]
    public void A_bundle_of_version_1_shows_its_witnesses_as_well()
    {
        var bundle = BundleOf(Seen(Now), isMapRootShown: false);

        Assert.Equal(1, JsonNode.Parse(bundle)!["version"]!.GetValue<int>());
        Assert.True(DecisionBundle.TryVerify(bundle, TestPolicy, out _, out _, out var error), error.ToString());
        Assert.Equal(DecisionBundleError.Checkpoint, Changed(bundle, log => log.Remove("checkpoints")));
    }

    /// <summary>Puts another time into the last cosignature, whose key then has not signed it.</summary>
    private static string Forge(string note)
    {
        Assert.True(SignedNote.TryParse(Encoding.UTF8.GetBytes(note), out var read, out _));
        var last = read.Signatures[^1].Bytes.ToArray();
        last[7] ^= 1;
        return SignedNote.Of(read.Text, [.. read.Signatures[..^1], read.Signatures[^1] with { Bytes = last }]).ToString();
    }

    private static byte[] BundleOf(
        CheckpointVerdict.Witnessed? seen, DateTimeOffset? decidedAt = null, Policy? policy = null, bool isMapRootShown = true)
    {
        var head = Memory.Head;
        if (isMapRootShown)
        {
            Assert.True(Memory.Head.TryShowMapRoot(Memory.MapRootProof(2), out head, out _));
        }

        var evidence = new LogEvidence(head!, Memory.MapValue(Output.Statement.Key, Memory.Head.Content.MapRoot)!,
            [.. Memory.InclusionProof(0, 1)], Output.Statement.Value)
        {
            Witnessed = seen,
        };
        return BundleOfBallot(evidence.Judge(Alice, Output.Path), decidedAt, policy);
    }

    private static byte[] BundleOfBallot(Ballot ballot, DateTimeOffset? decidedAt = null, Policy? policy = null)
    {
        var verdict = (policy ?? TestPolicy).Decide(Output.Path, new Dictionary<string, Ballot> { ["alice"] = ballot });
        var record = verdict.Granted is { } claim ? DecisionRecord.Of(verdict, Make.Hints(claim), decidedAt ?? Now)
            : DecisionRecord.Refusal(verdict.Outcome, verdict.Sentence, decidedAt ?? Now);
        return DecisionBundle.Of(Output.Path, record, verdict, policy ?? TestPolicy).ToBytes();
    }

    private static DecisionBundleError Changed(byte[] bytes, Action<JsonObject> change, Policy? policy = null)
    {
        var bundle = JsonNode.Parse(bytes)!.AsObject();
        change(bundle["answers"]![0]!["log"]!.AsObject());
        bundle["sha256"] = null;
        bundle["sha256"] = Digest.Of(Encoding.UTF8.GetBytes(bundle.ToJsonString(Plain))).ToString();
        return Refused(Encoding.UTF8.GetBytes(bundle.ToJsonString(Plain)), policy);
    }

    private static DecisionBundleError Refused(byte[] bundle, Policy? policy = null)
    {
        Assert.False(DecisionBundle.TryVerify(bundle, policy ?? TestPolicy, out _, out _, out var error));
        return error;
    }
}
