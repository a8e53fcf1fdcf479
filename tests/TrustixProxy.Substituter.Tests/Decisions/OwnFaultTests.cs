using TrustixProxy.Consensus;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Tests.Decisions;

/// <summary>A fault of this program costs one voice, and makes no request fail.</summary>
public sealed class OwnFaultTests
{
    [Fact]
    public async Task Whoever_cannot_be_asked_by_a_fault_of_ours_is_silent_and_the_rest_decides()
    {
        var output = TestOutput.Make();
        var electors = new[] { "alice", "bob" }.Select(
            (name, i) => new Elector.Log(name, name, new LogSigner([.. Enumerable.Repeat((byte)i, 32)]).Key)).ToList();
        var electorate = new Electorate([.. electors.Select(elector => new FaultyElector(elector))], [], new BadNarMemory(), null,
            new Policy(electors), TimeProvider.System);
        var deliberation = electorate.Poll(output.Path.Digest, TimeSpan.FromMilliseconds(300));

        await deliberation.RunAsync([output.Path], _ => { });

        var refused = Assert.IsType<PollResult.Refused>(await deliberation.Result);
        Assert.Contains("bob=absent", refused.Sentence, StringComparison.Ordinal);
        Assert.Equal("a fault that nobody has thought of", deliberation.Fault?.Message);
    }

    /// <summary>Bob does not know the path; of alice nobody can be asked.</summary>
    private sealed class FaultyElector(Elector elector) : ElectorClient
    {
        public override Elector Elector => elector;

        public override bool IsFrozen => false;

        public override AskElector Begin(
            StorePathDigest digest, StorePath? name, CandidateValues values, CancellationToken cancellation) =>
            (_, _) =>
                elector.Name is "bob" ? Task.FromResult<Ballot>(new Ballot.Absent(true, 1))
                : throw new NotSupportedException("a fault that nobody has thought of");
    }
}
