using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Consensus;

/// <summary>Why a bundle does not prove its decision.</summary>
public enum DecisionBundleError
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

    /// <summary>An elector's answer is missing, or from an unknown elector.</summary>
    Electors,

    /// <summary>A head's signature by its log is invalid.</summary>
    Head,

    /// <summary>A checkpoint is missing for a head whose witnesses the policy demands, or is not the checkpoint of that head.</summary>
    Checkpoint,

    /// <summary>Too few of the demanded witnesses have seen a head, or none of them lately when it was decided.</summary>
    Witnesses,

    /// <summary>An answer proves nothing.</summary>
    Answer,

    /// <summary>The answers lead to another outcome or claim.</summary>
    Outcome,
}

/// <summary>A decision with its evidence, as JSON: a verifier with the policy can decide again, without us and without a network.
/// </summary>
/// <remarks>
/// <code>
/// { "version": 2, "path": "/nix/store/…", "outcome": "agreed", "decidedAt": "2026-11-24T12:00:00.000Z",
///   "claim": { "narHash": "sha256:…", "narSize": 1, "references": ["…"] },            null for a refusal
///   "narInfo": null, or the narinfo with the CA line for what is served by its content address
///   "policy": { "identity": "64 hex digits", "text": "policy 2\n…" },
///   "answers": [ { "elector": "alice", "log": { "head": "base64 protobuf", "map": "…", "inclusion": ["…"], "value": "…",
///                                                  "mapRoot": ["…"], "checkpoints": ["log.alice.example/nix\n…", "…"] } },
///                { "elector": "nixos", "narInfo": "StorePath: …" }, { "elector": "bob", "notFound": 12 },
///                { "elector": "carol", "silent": "NoAnswer" }, { "elector": "dora", "proof": "c2sp.org/tlog-proof@v1\n…" } ],
///   "sha256": "of all of the above as JSON without white space" }
/// </code>
/// Version 1 has no <c>mapRoot</c>, the proof that the head's map root is the last leaf of the map-head log. It is written where a log's
/// head was not shown so, as for mirrors, and still verifies. <c>checkpoints</c> are the notes of the log and of its map-head log with the
/// cosignatures of the witnesses that the policy demands; without such a demand there are none.
/// <c>age</c> beside a log's answer: the seconds for which the proxy knew the log to hold it, where the policy demands an age.
/// Silence and age must be taken on trust: no proof in the bundle shows that an elector did not answer, or since when a log has held
/// an entry.</remarks>
public sealed class DecisionBundle
{
    /// <summary>Versions: the second shows each log's map root.</summary>
    private const int WithoutMapRoots = 1, FormatVersion = 2;

    private static readonly StoredBundleJson Strict = new(CanonicalJson.Options(maxDepth: 16));

    private readonly StoredBundle _content;

    private DecisionBundle(StoredBundle content, Outcome outcome, Digest hash) => (_content, Outcome, Hash) = (content, outcome, hash);

    /// <summary>SHA-256 of the bundle's content.</summary>
    public Digest Hash { get; }

    /// <summary>The path decided on, absolute.</summary>
    public string Path => _content.Path;

    /// <summary>What was decided.</summary>
    public Outcome Outcome { get; }

    /// <summary>The time of the decision, ISO 8601 in UTC.</summary>
    public string DecidedAt => _content.DecidedAt;

    /// <summary>Combines a decision with its evidence.</summary>
    /// <param name="path">The path decided on.</param>
    /// <param name="record">The decision.</param>
    /// <param name="verdict">The verdict with the electors' answers, proofs included.</param>
    /// <param name="policy">The policy.</param>
    public static DecisionBundle Of(StorePath path, DecisionRecord record, Verdict verdict, Policy policy)
    {
        BundledAnswer[] answers = [.. verdict.Answers.Select(BundledAnswer.Of)];
        var version = answers.Zip(policy.Electors).All(pair => pair.First.ShowsMapRoot(pair.Second)) ? FormatVersion : WithoutMapRoots;
        var content = new StoredBundle(
            version, path.Absolute, record.Outcome.Word(), BundleTime.Of(record.DecidedAt), BundledClaim.Of(record.Claim),
            record.MustMatch is { } address ? NarInfoOf(record.Claim!, address).ToString() : null,
            new BundledPolicy(policy.Identity.ToString(), policy.Text), answers, null);
        var hash = HashOf(content);
        return new DecisionBundle(content with { Sha256 = hash.ToString() }, record.Outcome, hash);
    }

    /// <summary>Repeats the decision from the bundle alone.</summary>
    /// <param name="json">The bundle.</param>
    /// <param name="policy">The verifier's policy, the only source of electors' names and keys.</param>
    /// <param name="bundle">The bundle, if it is valid.</param>
    /// <param name="verdict">The verdict of its answers; null when they cannot be read.</param>
    /// <param name="error">Why it is invalid.</param>
    public static bool TryVerify(
        ReadOnlySpan<byte> json, Policy policy, [NotNullWhen(true)] out DecisionBundle? bundle, out Verdict? verdict,
            out DecisionBundleError error)
    {
        (bundle, verdict) = (null, null);
        if (!TryRead(json, out var content, out var path, out var decidedAt))
        {
            error = DecisionBundleError.Json;
            return false;
        }

        error = content.Version is not (WithoutMapRoots or FormatVersion) ? DecisionBundleError.Version
            : content.Sha256 != HashOf(content).ToString() ? DecisionBundleError.Digest
            : content.Policy != new BundledPolicy(policy.Identity.ToString(), policy.Text) ? DecisionBundleError.Policy
            : path.Store != policy.Store ? DecisionBundleError.Policy
            : Judge(content, path, decidedAt, policy, out var ballots) is var failure and not DecisionBundleError.None ? failure
            : Compare(content, path, verdict = policy.Except(path, policy.Decide(path, ballots), decidedAt), policy);
        bundle = error is DecisionBundleError.None && OutcomeWords.TryParse(content.Outcome, out var outcome)
            ? new DecisionBundle(content, outcome, HashOf(content)) : null;
        return bundle is not null;
    }

    /// <summary>Encodes the bundle as JSON without white space.</summary>
    public byte[] ToBytes() => CanonicalJson.Write(_content, Strict.StoredBundle);

    private static bool TryRead(ReadOnlySpan<byte> json, [NotNullWhen(true)] out StoredBundle? content,
        [NotNullWhen(true)] out StorePath? path, out DateTimeOffset decidedAt)
    {
        (path, decidedAt) = (null, default);
        content = CanonicalJson.Read(json, Strict.StoredBundle);
        return content is not null && StorePath.TryParseAbsolute(content.Path, out path, out _)
            && BundleTime.TryParse(content.DecidedAt, out decidedAt);
    }

    private static DecisionBundleError Judge(
        StoredBundle content, StorePath path, DateTimeOffset decidedAt, Policy policy, out Dictionary<string, Ballot> ballots)
    {
        ballots = [];
        if (!content.Answers.Select(answer => answer.Elector).SequenceEqual(policy.Electors.Select(elector => elector.Name)))
        {
            return DecisionBundleError.Electors;
        }

        foreach (var (answer, elector) in content.Answers.Zip(policy.Electors))
        {
            var error = answer.Judge(elector, path, decidedAt, out var ballot);
            error = error is DecisionBundleError.None && content.Version is FormatVersion && !answer.ShowsMapRoot(elector)
                ? DecisionBundleError.Head : error;
            if (error is not DecisionBundleError.None)
            {
                return error;
            }

            ballots.Add(elector.Name, ballot!);
        }

        return DecisionBundleError.None;
    }

    private static DecisionBundleError Compare(StoredBundle content, StorePath path, Verdict verdict, Policy policy)
    {
        var isShown = OutcomeWords.TryParse(content.Outcome, out var outcome) && outcome switch
        {
            Outcome.NoUpstream => content is { Claim: null, NarInfo: null },
            Outcome.ContentAddressed => verdict.Granted is null && policy.ServesContentAddressed && IsOfContentAddress(content, path),
            Outcome.Report =>
                policy.Fallback is { } name && content.NarInfo is null
                && verdict.Answers.Any(answer => answer.Elector.Name == name && IsClaim(answer.Ballot, content.Claim)),
            _ => outcome == verdict.Outcome && content.NarInfo is null && Equals(content.Claim, BundledClaim.Of(verdict.Granted)),
        };
        return isShown ? DecisionBundleError.None : DecisionBundleError.Outcome;
    }

    private static bool IsClaim(Ballot ballot, BundledClaim? claim) =>
        claim is not null && ballot is Ballot.Claimed vote && claim.Equals(BundledClaim.Of(vote.Claim));

    private static bool IsOfContentAddress(StoredBundle content, StorePath path) =>
        content.NarInfo is { } text && NarInfo.TryParse(System.Text.Encoding.UTF8.GetBytes(text), out var narInfo, out _)
            && narInfo.StorePath == path
        && OutputClaim.TryReadContentAddressed(narInfo, out var claim) && Equals(content.Claim, BundledClaim.Of(claim));

    private static NarInfo NarInfoOf(OutputClaim claim, ContentAddress address) => new()
    {
        StorePath = claim.Path,
        Url = "nar",
        Compression = "none",
        NarHash = claim.NarHash,
        NarSize = claim.NarSize,
        References = claim.References,
        ContentAddress = address,
    };

    private static Digest HashOf(StoredBundle content) =>
        Digest.Of(CanonicalJson.Write(content with { Sha256 = null }, Strict.StoredBundle));
}
