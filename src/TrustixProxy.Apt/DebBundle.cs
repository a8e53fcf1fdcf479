using System.Text.Json;
using TrustixProxy.Consensus;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Apt;

/// <summary>Why a bundle does not prove its decision on a package.</summary>
public enum DebBundleError
{
    /// <summary>The bundle is valid.</summary>
    None,

    /// <summary>Not the expected JSON: a member is missing, unknown, duplicate, or of the wrong type.</summary>
    Json,

    /// <summary>A version that this program does not read.</summary>
    Version,

    /// <summary>A field was changed: the content does not match the bundle's digest.</summary>
    Digest,

    /// <summary>The bundle was decided under another policy than the verifier's.</summary>
    Policy,

    /// <summary>A rebuilder's answer is missing, or from an unknown rebuilder.</summary>
    Electors,

    /// <summary>A link proves nothing of the file.</summary>
    Link,

    /// <summary>The answers lead to another outcome.</summary>
    Outcome,
}

/// <summary>A decision on a package with the links that it rests on, as JSON: a verifier with the policy can decide again, without us and
/// without a network.</summary>
/// <remarks>
/// <code>
/// { "version": 1, "kind": "deb", "file": "hello_2.10-3_amd64.deb", "fileSha256": "64 hex digits",
///   "outcome": "agreed", "decidedAt": "2026-11-24T12:00:00.000Z",
///   "policy": { "identity": "64 hex digits", "text": "policy 2\n…" },
///   "answers": [ { "elector": "alice", "link": "{\"signatures\":…}" }, { "elector": "bob", "says": "bad" },
///                { "elector": "carol", "says": "unknown" }, { "elector": "dora", "silent": "NoAnswer" },
///                { "elector": "eve", "unusable": "NoSignature" } ],
///   "sha256": "of all of the above as JSON without white space" }
/// </code>
/// Only links are proofs. That a rebuilder said something else, or nothing, must be taken on trust.</remarks>
public sealed class DebBundle
{
    private const int FormatVersion = 1;
    private const string Kind = "deb";

    private static readonly StoredDebBundleJson Strict = new(CanonicalJson.Options(maxDepth: 8));

    private readonly StoredDebBundle _content;

    private DebBundle(StoredDebBundle content, DebVerdict verdict, DateTimeOffset decidedAt) =>
        (_content, Verdict, DecidedAt) = (content with { Sha256 = HashOf(content).ToString() }, verdict, decidedAt);

    /// <summary>SHA-256 of the bundle's content.</summary>
    public Digest Hash => HashOf(_content);

    /// <summary>What was decided, with each answer.</summary>
    public DebVerdict Verdict { get; }

    /// <summary>The time of the decision.</summary>
    public DateTimeOffset DecidedAt { get; }

    /// <summary>The time at which it is decided again: what a quorum grants after 30 days, what an exception grants when it ends, if that
    /// is sooner, and all else after 60 s.</summary>
    public DateTimeOffset ExpiresAt => Verdict switch
    {
        { Outcome: Outcome.Agreed } => DecidedAt + DecisionRecord.AgreementLifetime,
        { Exception: { } exception } when exception.Expires < DecidedAt + DecisionRecord.AgreementLifetime => exception.Expires,
        { Outcome: Outcome.Excepted } => DecidedAt + DecisionRecord.AgreementLifetime,
        _ => DecidedAt + DecisionRecord.RefusalLifetime,
    };

    /// <summary>Combines a decision with its links.</summary>
    /// <param name="verdict">The verdict.</param>
    /// <param name="decidedAt">The time at which it was reached.</param>
    /// <param name="policy">The policy.</param>
    public static DebBundle Of(DebVerdict verdict, DateTimeOffset decidedAt, Policy policy)
    {
        var content = new StoredDebBundle(
            FormatVersion, Kind, verdict.Asked.File.FileName, verdict.Asked.Sha256.ToString(), verdict.Outcome.Word(),
            BundleTime.Of(decidedAt), BundledDebPolicy.Of(policy), [.. verdict.Answers.Select(BundledDebAnswer.Of)], null);
        return new DebBundle(content, verdict, decidedAt);
    }

    /// <summary>Whether a file claims to be such a bundle; false for one of a store path.</summary>
    public static bool IsOne(ReadOnlyMemory<byte> json) => CanonicalJson.KindOf(json) is Kind;

    /// <summary>Repeats the decision from the bundle alone.</summary>
    /// <param name="json">The bundle.</param>
    /// <param name="policy">The verifier's policy, the only source of rebuilders' names and keys.</param>
    /// <param name="bundle">The bundle with the verdict, if it is valid.</param>
    /// <param name="error">Why it is invalid.</param>
    public static bool TryVerify(
        ReadOnlySpan<byte> json, Policy policy, [NotNullWhen(true)] out DebBundle? bundle, out DebBundleError error)
    {
        bundle = null;
        if (CanonicalJson.Read(json, Strict.StoredDebBundle) is not { Kind: Kind } content
            || !DebFile.TryParse(content.File, out var file) || !Hex.TryReadDigest(content.FileSha256, out var sha256)
            || !BundleTime.TryParse(content.DecidedAt, out var decidedAt))
        {
            error = DebBundleError.Json;
            return false;
        }

        var asked = new AskedDeb(file, sha256);
        var ballots = new Dictionary<string, DebBallot>();
        error = content.Version is not FormatVersion ? DebBundleError.Version
            : content.Sha256 != HashOf(content).ToString() ? DebBundleError.Digest
            : content.Policy != BundledDebPolicy.Of(policy) ? DebBundleError.Policy
            : Judge(content, file, policy, ballots);
        if (error is not DebBundleError.None)
        {
            return false;
        }

        var verdict = DebVerdict.Decide(policy, asked, ballots, decidedAt);
        error = verdict.Outcome.Word() == content.Outcome ? DebBundleError.None : DebBundleError.Outcome;
        bundle = error is DebBundleError.None ? new DebBundle(content, verdict, decidedAt) : null;
        return bundle is not null;
    }

    /// <summary>Encodes the bundle as JSON without white space.</summary>
    public byte[] ToBytes() => CanonicalJson.Write(_content, Strict.StoredDebBundle);

    private static DebBundleError Judge(StoredDebBundle content, DebFile file, Policy policy, Dictionary<string, DebBallot> ballots)
    {
        if (!content.Answers.Select(answer => answer.Elector).SequenceEqual(policy.Electors.Select(elector => elector.Name)))
        {
            return DebBundleError.Electors;
        }

        foreach (var (answer, elector) in content.Answers.Zip(policy.Electors))
        {
            var error = answer.Judge(elector, file, out var ballot);
            if (ballot is null)
            {
                return error;
            }

            ballots.Add(elector.Name, ballot);
        }

        return DebBundleError.None;
    }

    private static Digest HashOf(StoredDebBundle content) =>
        Digest.Of(CanonicalJson.Write(content with { Sha256 = null }, Strict.StoredDebBundle));
}
