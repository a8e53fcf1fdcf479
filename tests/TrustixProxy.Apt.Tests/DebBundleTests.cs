using System.Text;
using System.Text.Json.Nodes;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using static TrustixProxy.Apt.Tests.Make;

namespace TrustixProxy.Apt.Tests;

/// <summary>Decisions that are kept and handed out: nothing in them can be changed.</summary>
public sealed class DebBundleTests
{
    private static readonly TestRebuilder Alice = new("alice"), Bob = new("bob"), Carol = new("carol");

    private static readonly DateTimeOffset Now = new(2026, 11, 30, 1, 2, 3, 4, TimeSpan.Zero);

    private static readonly Policy Majority = new([Alice.Elector, Bob.Elector, Carol.Elector]);

    private static readonly Policy Both = new([Alice.Elector, Bob.Elector], quorum: 2);

    [Fact]
    public void A_bundle_proves_its_decision_offline()
    {
        var bundle = Agreed();

        Assert.True(DebBundle.TryVerify(bundle.ToBytes(), Majority, out var read, out _));
        Assert.Equal((Outcome.Agreed, Now, bundle.Hash, Hello), (read.Verdict.Outcome, read.DecidedAt, read.Hash, read.Verdict.Asked));
        Assert.Equal(bundle.Verdict.Sentence, read.Verdict.Sentence);
        Assert.Equal(bundle.ToBytes(), read.ToBytes());
        Assert.True(DebBundle.IsOne(bundle.ToBytes()));
        Assert.False(DebBundle.IsOne("""{"version":2,"path":"/nix/store/x"}"""u8.ToArray()));
        Assert.False(DebBundle.IsOne("[]"u8.ToArray()));
        Assert.False(DebBundle.IsOne("x"u8.ToArray()));
    }

    [Theory]
    [InlineData("agreed", Outcome.Agreed, "2 of 2 needed: alice=good, bob=good")]
    [InlineData("undecided", Outcome.Undecided, "2 of 2 needed: alice=good, bob=bad")]
    public void A_bundle_of_real_links_that_another_program_wrote_is_read(string name, Outcome outcome, string sentence)
    {
        var (alice, bob) = (new Rebuilder("alice", "alice", KeyOf("a-public-keys.json")),
            new Rebuilder("bob", "bob", KeyOf("b-public-keys.json")));
        var policy = new Policy([alice, bob], quorum: 2) { ServesContentAddressed = false };
        var json = File.ReadAllBytes($"Vectors/bundles/deb-v1/{name}.json");

        Assert.True(DebBundle.TryVerify(json, policy, out var bundle, out _));
        Assert.Equal((outcome, sentence), (bundle.Verdict.Outcome, bundle.Verdict.Sentence));
        Assert.Equal(json, bundle.ToBytes());
    }

    [Fact]
    public void No_byte_of_a_bundle_can_be_changed()
    {
        var bytes = Agreed().ToBytes();
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] ^= 1;
            Assert.False(DebBundle.TryVerify(bytes, Majority, out _, out _), $"byte {i}");
            bytes[i] ^= 1;
        }
    }

    /// <summary>Changes by somebody who also makes the digest anew.</summary>
    public static TheoryData<string, string, DebBundleError> Changes => new()
    {
        { "version", "2", DebBundleError.Version },
        { "kind", "\"rpm\"", DebBundleError.Json },
        { "file", "\"hello_2.10-4_amd64.deb\"", DebBundleError.Link },
        { "file", "\"hello.deb\"", DebBundleError.Json },
        { "fileSha256", $"\"{DigestOf(2)}\"", DebBundleError.Outcome },
        { "fileSha256", "\"00\"", DebBundleError.Json },
        { "outcome", "\"excepted\"", DebBundleError.Outcome },
        { "outcome", "\"undecided\"", DebBundleError.Outcome },
        { "decidedAt", "\"yesterday\"", DebBundleError.Json },
        { "policy", """{"identity":"x","text":"y"}""", DebBundleError.Policy },
        { "answers", "[]", DebBundleError.Electors },
        { "answers", """[{"elector":"alice","says":"bad"},{"elector":"bob","says":"bad"},{"elector":"carol","says":"bad"}]""",
            DebBundleError.Outcome },
        { "answers", """[{"elector":"alice","says":"good"},{"elector":"bob","says":"bad"},{"elector":"carol","says":"bad"}]""",
            DebBundleError.Json },
        { "answers", """[{"elector":"alice"},{"elector":"bob","says":"bad"},{"elector":"carol","says":"bad"}]""", DebBundleError.Json },
        { "answers", """[{"elector":"alice","says":"bad","silent":"Tls"},{"elector":"bob","says":"bad"},{"elector":"carol"}]""",
            DebBundleError.Json },
        { "answers", """[{"elector":"alice","silent":"27"},{"elector":"bob","says":"bad"},{"elector":"carol","says":"bad"}]""",
            DebBundleError.Json },
        { "answers", """[{"elector":"alice","link":"{}"},{"elector":"bob","says":"bad"},{"elector":"carol","says":"bad"}]""",
            DebBundleError.Link },
        { "more", "1", DebBundleError.Json },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public void A_bundle_with_another_content_and_the_right_digest_is_refused(string member, string value, DebBundleError expected)
    {
        var content = JsonNode.Parse(Agreed().ToBytes())!.AsObject();
        content[member] = JsonNode.Parse(value);

        Assert.False(DebBundle.TryVerify(Rehashed(content), Majority, out _, out var error));
        Assert.Equal(expected, error);
    }

    [Fact]
    public void A_link_is_not_the_answer_of_another_rebuilder()
    {
        var content = JsonNode.Parse(Agreed().ToBytes())!.AsObject();
        var answers = content["answers"]!.AsArray();
        answers[1] = new JsonObject { ["elector"] = "bob", ["link"] = answers[0]!["link"]!.DeepClone() };

        Assert.False(DebBundle.TryVerify(Rehashed(content), Majority, out _, out var error));
        Assert.Equal(DebBundleError.Link, error);
        Assert.False(DebBundle.TryVerify(Agreed().ToBytes(), Both, out _, out error));
        Assert.Equal(DebBundleError.Policy, error);
    }

    [Fact]
    public void A_kept_decision_is_opened_for_its_file_its_policy_and_its_key_alone()
    {
        var (key, bundle) = (NixSecretKey.Generate("k"), Agreed());
        var seal = new DebSeal(new RecordSeal(key, []), Majority);
        var sealedBytes = seal.Seal(bundle);

        Assert.True(seal.TryOpen(Hello, sealedBytes, out var opened));
        Assert.Equal((bundle.Hash, Outcome.Agreed), (opened.Hash, opened.Verdict.Outcome));
        Assert.False(seal.TryOpen(Asked("hello_2.10-3_amd64.deb", 2), sealedBytes, out _));
        Assert.False(seal.TryOpen(Asked("hello_2.10-3_arm64.deb", 1), sealedBytes, out _));
        Assert.False(new DebSeal(new RecordSeal(key, []), Both).TryOpen(Hello, sealedBytes, out _));
        Assert.False(new DebSeal(new RecordSeal(NixSecretKey.Generate("k"), []), Majority).TryOpen(Hello, sealedBytes, out _));
        for (var i = 0; i < sealedBytes.Length; i++)
        {
            sealedBytes[i] ^= 1;
            Assert.False(seal.TryOpen(Hello, sealedBytes, out _), $"byte {i}");
            sealedBytes[i] ^= 1;
        }
    }

    [Fact]
    public void A_record_of_another_kind_or_version_is_no_decision_on_a_package()
    {
        var records = new RecordSeal(NixSecretKey.Generate("k"), []);
        var (seal, content) = (new DebSeal(records, Majority), Agreed().ToBytes());

        Assert.True(seal.TryOpen(Hello, records.Seal("deb", Hello.Text, [1, .. content]), out _));
        Assert.False(seal.TryOpen(Hello, records.Seal("deb", Hello.Text, [2, .. content]), out _));
        Assert.False(seal.TryOpen(Hello, records.Seal("deb", Hello.Text, []), out _));
        Assert.False(seal.TryOpen(Hello, records.Seal("decision", Hello.Text, [1, .. content]), out _));
        Assert.False(seal.TryOpen(Asked("hello_2.10-3_amd64.deb", 2),
            records.Seal("deb", Asked("hello_2.10-3_amd64.deb", 2).Text, [1, .. content]), out _));
    }

    [Fact]
    public void Decisions_are_kept_for_as_long_as_their_kind()
    {
        var bad = new Dictionary<string, DebBallot> { ["alice"] = new DebBallot.Bad() };

        Assert.Equal(Now.AddDays(30), Agreed().ExpiresAt);
        Assert.Equal(Now.AddSeconds(60), Of(Both, bad).ExpiresAt);
        Assert.Equal(Now.AddSeconds(60), Of(new Policy(Both.Electors, Both.Rest.Rule) { Fallback = "archive" }, bad).ExpiresAt);
        Assert.Equal(Now.AddDays(2), Of(Excepting(Now.AddDays(2)), bad).ExpiresAt);
        Assert.Equal(Now.AddDays(30), Of(Excepting(Now.AddDays(90)), bad).ExpiresAt);
    }

    [Fact]
    public void An_exception_is_judged_at_the_time_of_the_decision()
    {
        var bundle = Of(Excepting(Now.AddDays(1)), []);
        Assert.Equal(Outcome.Excepted, bundle.Verdict.Outcome);
        var content = JsonNode.Parse(bundle.ToBytes())!.AsObject();
        content["decidedAt"] = BundleTime.Of(Now.AddDays(1));

        Assert.True(DebBundle.TryVerify(bundle.ToBytes(), Excepting(Now.AddDays(1)), out _, out _));
        Assert.False(DebBundle.TryVerify(Rehashed(content), Excepting(Now.AddDays(1)), out _, out var error));
        Assert.Equal(DebBundleError.Outcome, error);
    }

    private static DebBundle Agreed() => Of(Majority, new()
    {
        ["alice"] = Alice.Vote(Hello),
        ["bob"] = Bob.Vote(Hello),
        ["carol"] = new DebBallot.Silent(SilenceReason.NoSignature) { IsAnswer = true },
    });

    private static Policy Excepting(DateTimeOffset until) =>
        new(Both.Electors, Both.Rest.Rule) { Exceptions = [PolicyException.OfArchive("hello", "known", until)] };

    private static DebBundle Of(Policy policy, Dictionary<string, DebBallot> ballots) =>
        DebBundle.Of(DebVerdict.Decide(policy, Hello, ballots, Now), Now, policy);

    private static byte[] Rehashed(JsonObject content)
    {
        content["sha256"] = null;
        content["sha256"] = Digest.Of(Encoding.UTF8.GetBytes(Write(content))).ToString();
        return Encoding.UTF8.GetBytes(Write(content));
    }

    private static string Write(JsonObject content) =>
        content.ToJsonString(new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
