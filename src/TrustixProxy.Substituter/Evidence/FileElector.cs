using TrustixProxy.Consensus;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Queries an elector that votes with one file for each path.</summary>
internal abstract class FileElector(Upstream source) : ElectorClient
{
    /// <summary>A server of files has no history to contradict.</summary>
    public override bool IsFrozen => false;

    /// <summary>Sends the requests.</summary>
    protected Upstream Source => source;

    /// <summary>Files are queried by digest and return the name.</summary>
    public override AskElector Begin(StorePathDigest digest, StorePath? name, CandidateValues values, CancellationToken cancellation)
    {
        var first = source.AskAsync(digest, cancellation);
        UpstreamAnswer? settled = null; // one answer is enough: no second request
        return async (path, token) =>
        {
            var answer = Volatile.Read(ref settled) ?? await (Interlocked.Exchange(ref first, null) ?? source.AskAsync(digest, token));
            Volatile.Write(ref settled, IsUseless(answer) ? answer : null);
            return Judge(path, answer, values);
        };
    }

    /// <summary>Returns the ballot of a server that gave no file.</summary>
    public static Ballot.Silent OfFailure(UpstreamAnswer.Failed failed) => new(ReasonOf(failed)) { IsAnswer = IsUseless(failed) };

    /// <summary>Judges a file that was found.</summary>
    protected abstract Ballot JudgeFound(StorePath path, UpstreamAnswer answer, CandidateValues values);

    private Ballot Judge(StorePath path, UpstreamAnswer answer, CandidateValues values) => answer switch
    {
        UpstreamAnswer.Absent => new Ballot.Absent(IsProven: false, 0),
        UpstreamAnswer.Failed failed => OfFailure(failed),
        _ => JudgeFound(path, answer, values),
    };

    /// <summary>Whether it answered with something other than a file of its kind: HTML, 401, unreadable text.</summary>
    private static bool IsUseless(UpstreamAnswer answer) => answer is UpstreamAnswer.Failed { Fault.IsAnswer: true, IsAway: false };

    private static SilenceReason ReasonOf(UpstreamAnswer.Failed failed) => failed switch
    {
        { IsAway: true } or { Fault.Kind: UpstreamFailure.Throttled } => SilenceReason.BreakerOpen,
        { Fault.Kind: UpstreamFailure.Silent } => SilenceReason.NoAnswer,
        { Fault.Kind: UpstreamFailure.NarinfoTooLarge or UpstreamFailure.FileTooLarge } => SilenceReason.TooLarge,
        { Fault.IsAnswer: true } => SilenceReason.BadAnswer,
        _ => SilenceReason.Unreachable,
    };
}
