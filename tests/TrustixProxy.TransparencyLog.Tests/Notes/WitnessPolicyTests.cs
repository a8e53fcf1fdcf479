using System.Text;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog.Notes;
using static TrustixProxy.TransparencyLog.Tests.Notes.NoteVectors;

namespace TrustixProxy.TransparencyLog.Tests.Notes;

/// <summary>Policy files: what they demand, and the line and remedy with which a damaged one is refused.</summary>
public sealed class WitnessPolicyTests
{
    private static readonly TestWitness[] Five = [.. Enumerable.Range(1, 5).Select(i => new TestWitness($"w{i}", (byte)i))];
    private static readonly string Witnesses = string.Concat(Five.Select(witness => witness.Line));
    private static readonly string Log = $"log {VerifierKey.OfLog("a.example", new LogSigner(new byte[32]).Key)}";

    [Fact]
    public void Groups_nest_and_white_space_comments_and_addresses_mean_nothing()
    {
        var policy = Policy($"# ours\n\n{Log} https://log.example\n{Witnesses}\t group  x any w1 w2\ngroup y all w3 w4\n"
            + "group z 2 x y w5\nquorum z\n  # the end\n");

        Assert.Equal("https://log.example", policy.Logs.Single().Url);
        Assert.Equal(5, policy.Witnesses.Length);
        Assert.Equal("2 of (w5, 1 of 2, 2 of 2)", policy.Quorum!.ToString());
        Assert.True(policy.Quorum.IsMetBy(new HashSet<string> { "w2", "w5" }));
        Assert.True(policy.Quorum.IsMetBy(new HashSet<string> { "w1", "w3", "w4" }));
        Assert.False(policy.Quorum.IsMetBy(new HashSet<string> { "w1", "w2", "w3" }));
        Assert.Equal($"{Log}\n{Witnesses}group x any w1 w2\ngroup y all w3 w4\ngroup z 2 x y w5\nquorum z\n", policy.Text);
    }

    [Theory]
    [InlineData("group g 2 w1 w2 w3\nquorum g", 0)]
    [InlineData("group g 3 w1 w2 w3 w4\nquorum g", 1)]
    [InlineData("group g 4 w1 w2 w3 w4 w5\nquorum g", 2)]
    [InlineData("group g all w1 w2 w3\nquorum g", 2)]
    [InlineData("group g any w1 w2\nquorum g", -1)]
    [InlineData("group g 2 w1 w2 w3 w4\nquorum g", -1)]
    [InlineData("quorum w1", 0)]
    [InlineData("quorum none", -1)]
    [InlineData("group x any w1 w2\ngroup g all x w3\nquorum g", 0)]
    [InlineData("group x all w1 w2\ngroup g 2 x w3 w4\nquorum g", 0)]
    [InlineData("group x all w1 w2\ngroup y all w3 w4\ngroup g all x y\nquorum g", 3)]
    public void Liars_are_borne_where_two_quorums_share_more_witnesses(string lines, int borne)
    {
        var policy = Policy($"{Witnesses}{lines}\n");

        Assert.Equal(borne, policy.LiarsBorne);
        Assert.Equal(borne, SmallestOverlap(policy) - 1);
    }

    [Theory]
    [InlineData("", "the file has no quorum line")]
    [InlineData("quorum w1", "the last line does not end in a line feed")]
    [InlineData("quorum none\n", "'quorum none' demands no cosignature")]
    [InlineData("quorum w9\n", "quorum 'w9' is not defined above")]
    [InlineData("quorum w1\nquorum w1\n", "a second quorum line", 1)]
    [InlineData("quorum w1 w2\n", "'quorum' has 2 words after it")]
    [InlineData("quorums w1\n", "'quorums' is not a kind of line")]
    [InlineData("group g 3 w1 w2\nquorum g\n", "'3' is not a number of members")]
    [InlineData("group g 0 w1 w2\nquorum g\n", "'0' is not a number of members")]
    [InlineData("group g 02 w1 w2\nquorum g\n", "'02' is not a number of members")]
    [InlineData("group g some w1 w2\nquorum g\n", "'some' is not a number of members")]
    [InlineData("group g any w1 w9\nquorum g\n", "member 'w9' is not defined above")]
    [InlineData("group g any w1 none\nquorum g\n", "member 'none' is not defined above")]
    [InlineData("group g any w1 w1\nquorum g\n", "'w1' is a member a second time")]
    [InlineData("group g any w1\ngroup h any w1 w2\nquorum h\n", "'w1' is a member a second time", 1)]
    [InlineData("group g any\nquorum g\n", "'group' has 2 words after it")]
    [InlineData("group w1 any w2\nquorum w1\n", "the name 'w1' is defined twice")]
    [InlineData("group none any w2\nquorum none\n", "'none' has a meaning of its own")]
    [InlineData("# \r\nquorum w1\n", "it contains a control character")]
    [InlineData("witness w6 w6.example/w+00000000+AAAA\nquorum w1\n", "'w6.example/w+00000000+AAAA' is not a verifier key (Algorithm)")]
    [InlineData("log x\nquorum w1\n", "'x' is not a verifier key (Form)")]
    public void A_damaged_policy_is_refused_with_its_line_and_a_remedy(string lines, string problem, int after = 0)
    {
        Assert.False(TryParse(Witnesses + lines, out var fault));

        Assert.Equal((6 + after, problem), (fault.Line, fault.Problem));
        Assert.NotEmpty(fault.Remedy);
        Assert.Equal($"line {fault.Line}: {problem}; {fault.Remedy}", fault.ToString());
    }

    [Fact]
    public void Keys_are_of_their_use_listed_once_and_verifiable()
    {
        Expect($"{Log}\n{Log}\n", "the key of log 'a.example' is listed twice");
        Expect($"{Five[0].Line}{Five[0].Line.Replace("witness w1", "witness v1", StringComparison.Ordinal)}",
            "the key of witness 'v1' is listed twice");
        Expect($"{Log.Replace("log", "witness w", StringComparison.Ordinal)}\n", "the key of 'a.example' is of type 01");
        Expect($"log {Five[0].Key}\n", "the key of 'w1.example/w' is of type 04");
        var weak = Convert.ToBase64String([4, .. new byte[32]]);
        Expect(
            $"witness w w.example+00000000+{weak}\n", $"'w.example+00000000+{weak}' is not a verifier key (WeakKey)"[..61], isStart: true);
        Expect($"witness w {Text("c2sp/mldsa44.vkey")}quorum w\n",
            "quorum 'w' can never be met: cosignatures with ML-DSA (type 06) are not verified");
        Expect($"{Witnesses}{new string('#', 64 << 10)}\nquorum w1\n", "the file has ", isStart: true);
    }

    [Fact]
    public void A_policy_that_demands_nothing_may_be_read_where_nothing_is_demanded()
    {
        Assert.True(WitnessPolicy.TryParse(Encoding.UTF8.GetBytes($"{Log}\nquorum none\n"), mustDemand: false, out var policy, out _));

        Assert.Null(policy.Quorum);
        Assert.True(policy.Count(new CheckpointSigner("a.example", new LogSigner(new byte[32])).Sign(0, MerkleHash.EmptyLog), RecordedAt)
            .IsQuorum);
    }

    [Fact]
    public void Names_may_be_any_octets_and_a_file_of_256_nested_groups_is_answered()
    {
        Assert.True(WitnessPolicy.TryParse([.. Encoding.UTF8.GetBytes(Five[0].Line), .. "#"u8, 0xff, .. "\ngroup \u212A any w1\n"u8,
            .. "quorum \u212A\n"u8], mustDemand: true, out var policy, out _));
        Assert.Equal("\u212A", policy.Quorum!.Name);
        var nested = string.Concat(Enumerable.Range(0, 256).Select(i => $"group g{i} any {(i is 0 ? "w1" : $"g{i - 1}")}\n"));
        Assert.Equal(0, Policy($"{Five[0].Line}{nested}quorum g255\n").LiarsBorne);
        Expect($"{Five[0].Line}{nested}group h any g255\nquorum h\n", "more than 256 groups");
    }

    /// <summary>The smallest intersection of two sets of witnesses that both meet the quorum, found by trying all.</summary>
    private static int SmallestOverlap(WitnessPolicy policy)
    {
        var quorums = Enumerable.Range(0, 32).Where(set => policy.Quorum is null || policy.Quorum.IsMetBy(
            Five.Where((_, i) => (set >> i & 1) is 1).Select(witness => witness.Name).ToHashSet())).ToList();
        return quorums.Min(one => quorums.Min(other => int.PopCount(one & other)));
    }

    private static bool TryParse(string text, [System.Diagnostics.CodeAnalysis.NotNullWhen(false)] out WitnessPolicyFault? fault) =>
        WitnessPolicy.TryParse(Encoding.UTF8.GetBytes(text), mustDemand: true, out _, out fault);

    private static void Expect(string text, string problem, bool isStart = false)
    {
        Assert.False(TryParse(text, out var fault));
        Assert.Equal(problem, isStart ? fault.Problem[..problem.Length] : fault.Problem);
    }
}
