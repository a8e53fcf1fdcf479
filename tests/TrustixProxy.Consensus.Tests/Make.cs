using System.Security.Cryptography;
using System.Text;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Consensus.Tests;

/// <summary>Builders of what the tests talk about.</summary>
internal static class Make
{
    public static readonly StorePath TestPath = PathOf("g3mvg9q2slaizvvc5jsr2azpgmjph5r7-src");

    public static StorePath PathOf(string text) => StorePath.TryParse(text, out var path, out _) ? path : throw new ArgumentException(text);

    public static Elector.Log Elector(string name, string? by = null) =>
        new(name, by ?? name, new LogSigner(SHA256.HashData(Encoding.ASCII.GetBytes(name))).Key);

    public static ElectorTags Country(string code) => ElectorTags.Of([KeyValuePair.Create("country", code)]);

    /// <summary>A claim told apart from others by a number.</summary>
    public static OutputClaim Claim(int number) =>
        new(TestPath, new NarHash(NixHash.Sha256(SHA256.HashData(BitConverter.GetBytes(number)))), 100, []);

    public static Ballot Vote(int number, bool isTied = true) => new Ballot.Claimed(Claim(number), new VoteProof.ByLog(number, 10, isTied));

    public static Ballot Silent { get; } = new Ballot.Silent(SilenceReason.NoAnswer);

    public static Ballot Absent { get; } = new Ballot.Absent(IsProven: true, 10);

    public static Dictionary<string, Ballot> Ballots(params (string Elector, Ballot Ballot)[] ballots) =>
        ballots.ToDictionary(item => item.Elector, item => item.Ballot);

    public static NarHints Hints(OutputClaim claim) =>
        new("xz", claim.NarHash, 55, PathOf("g3mvg9q2slaizvvc5jsr2azpgmjph5r7-src.drv"), null, [], "cache");
}
