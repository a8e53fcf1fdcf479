using System.Security.Cryptography;
using System.Text;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.TransparencyLog;

/// <summary>Decisions in the memory of a process that does nothing else. Prints how many bytes they take, and how many they are reckoned to
/// take.</summary>
internal static class ReckonedMemory
{
    /// <summary>usage: decision-memory COUNT.</summary>
    public static void Run(int count)
    {
        var key = NixSecretKey.Generate("proxy-test-1");
        Elector.Log[] logs =
            [.. new[] { "alice", "bob", "carol" }
                .Select(name => new Elector.Log(name, name, new LogSigner(NixSecretKey.Generate(name).Key).Key))];
        var policy = new Policy(logs);
        var seal = new DecisionSeal(new RecordSeal(key, []), policy);
        StorePath[] references = [.. Enumerable.Range(0, 10).Select(i => PathOf($"reference-{i}"))];
        var records = Enumerable.Range(0, count).Select(_ => RecordOf(key, policy, logs, references))
            .Select(record => (record.Claim!.Path.Digest, Bytes: seal.Seal(record.Claim.Path.Digest, record))).ToList();
        var memory = new DecisionMemory(long.MaxValue);

        var before = GC.GetTotalMemory(forceFullCollection: true);
        foreach (var (digest, bytes) in records)
        {
            // each has strings of its own, as when it is read from disk
            _ = seal.TryOpen(digest, bytes, out var record, out var error) ? error : throw new InvalidOperationException(error.ToString());
            memory.Set(digest, new Decision(record!, Encoding.UTF8.GetBytes(new NarInfoSigner(key).Render(record!).Text)));
        }

        Console.WriteLine($"{GC.GetTotalMemory(forceFullCollection: true) - before} {memory.Size}");
        GC.KeepAlive(records);
    }

    private static DecisionRecord RecordOf(NixSecretKey key, Policy policy, Elector.Log[] logs, StorePath[] references)
    {
        var hash = NixHash.Sha256(RandomNumberGenerator.GetBytes(32));
        var narInfo = new NarInfo
        {
            StorePath = PathOf("package-1.2.3"),
            Url = "nar",
            Compression = "none",
            FileHash = hash,
            NarHash = hash,
            NarSize = 1000,
            References = [.. references]
        };
        if (!OutputClaim.TryReadSigned(
            narInfo with { Signatures = [key.Sign(narInfo.Fingerprint)] }, [key.PublicKey], out var claim, out var signature))
        {
            throw new InvalidOperationException("the narinfo is not taken");
        }

        var ballots = logs.Take(2)
            .ToDictionary(log => log.Name, Ballot (log) => new Ballot.Claimed(claim, new VoteProof.ByLog(12, 34, IsTied: true)));
        ballots.Add("carol", new Ballot.Silent(SilenceReason.Unreachable));
        return DecisionRecord.Of(
            policy.Decide(claim.Path, ballots), new NarHints("none", hash, 1000, null, null, [signature], "main"), DateTimeOffset.UtcNow);
    }

    private static StorePath PathOf(string name) =>
        StorePath.TryParse($"{Nix32.Encode(RandomNumberGenerator.GetBytes(20))}-{name}", out var path, out var error) ? path
        : throw new ArgumentException(error.ToString());
}
