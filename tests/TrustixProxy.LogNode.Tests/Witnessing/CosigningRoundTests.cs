using System.Collections.Immutable;
using System.Net;
using TrustixProxy.LogNode.Witnessing;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog.Notes;
using LogSigner = TrustixProxy.TransparencyLog.LogSigner;

namespace TrustixProxy.LogNode.Tests.Witnessing;

/// <summary>A thousand rounds over a growing log, three of four witnesses needed: one always answers 409 with 2^62, others disappear,
/// forget, or sign an older size at random.</summary>
public sealed class CosigningRoundTests
{
    private const string Origin = "log.example/rounds", Liar = "w1";
    private const int Rounds = 1000;

    private static readonly string[] Names = [Liar, "w2", "w3", "w4"];

    [Fact]
    public async Task One_that_always_knows_2_to_62_is_set_aside_and_never_costs_a_quorum_or_a_second_root()
    {
        var random = new Random(19);
        var log = new MemoryLog(new LogSigner(NixSecretKey.Generate("x").Key));
        var signer = new CheckpointSigner(Origin, log.Signer);
        using var witnesses = new FakeWitnesses(
            signer.Key, signer.Key, [.. Names.Select((name, i) => new TestWitness(name, (byte)(i + 1)))]);
        using var http = new HttpClient(witnesses, disposeHandler: false);
        var policy = witnesses.Policy(3);
        var round = new CosigningRound(
            [.. policy.Witnesses.Select(witness => new WitnessClient(witness, http, TimeProvider.System))], policy, TimeProvider.System);
        var sizes = ImmutableDictionary<string, long>.Empty;
        var away = "";
        witnesses.Instead = (name, _) => name is Liar ? FakeWitnesses.KnowsSize(1L << 62)
            : name == away ? WitnessedNode.Status(HttpStatusCode.ServiceUnavailable) : null;

        for (var i = 0; i < Rounds; i++)
        {
            for (var more = random.Next(i is 0 ? 1 : 0, 4); more > 0; more--)
            {
                log.Add(BitConverter.GetBytes((i * 4) + more), [1]);
            }

            away = random.Next(4) is 0 ? Names[random.Next(1, 4)] : "";
            if (random.Next(20) is 0)
            {
                witnesses.Forget(Names[random.Next(1, 4)]);
            }

            if (random.Next(20) is 0)
            {
                sizes = sizes.Remove(Names[random.Next(1, 4)]); // what the node has kept of it is lost
            }

            var (size, root, before) = (log.Head.Content.TreeSize, log.Head.Content.LogRoot, witnesses.Requests);
            var offered = new OfferedCheckpoint(
                signer.Sign(size, root), signer.Key, size, old => log.ConsistencyProof(old, size), () => log.Head.Content.TreeSize);
            var result = await round.AskAsync(offered, sizes, CancellationToken.None);
            sizes = result.Sizes;

            Assert.Equal([Liar], result.Ahead);
            Assert.DoesNotContain(Liar, sizes.Keys);
            Assert.Equal(Names.Where(name => name is not Liar && name != away), result.Cosigners.Order(StringComparer.Ordinal));
            Assert.InRange(witnesses.Requests - before, 4, 7); // each that is wrong about the size is asked once more
            Assert.Equal(away.Length is 0, policy.Count(
                SignedNote.Of(offered.Note.Text, [.. offered.Note.Signatures, .. result.Cosignatures]), DateTimeOffset.UtcNow).IsQuorum);
        }

        Assert.All(witnesses.Cosigned.GroupBy(cosigned => cosigned.Checkpoint.Size),
            group => Assert.Single(group.Select(cosigned => cosigned.Checkpoint.Root).Distinct()));
    }
}
