using System.Text.Json;
using System.Text.Json.Serialization;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Consensus;

/// <summary>Why a bundle does not show what it says.</summary>
public enum DecisionBundleError
{
    /// <summary>It does.</summary>
    None,

    /// <summary>It is not this JSON: a member is missing, unknown, named twice, or of another kind.</summary>
    Json,

    /// <summary>It is of a version that this program does not read.</summary>
    Version,

    /// <summary>A field was changed: what is in it does not have the digest that it names.</summary>
    Digest,

    /// <summary>It was decided under another policy than the one that it is held against.</summary>
    Policy,

    /// <summary>It lacks an elector's answer, or has one of somebody else.</summary>
    Electors,

    /// <summary>A head in it does not bear its log's signature.</summary>
    Head,

    /// <summary>An answer in it proves nothing.</summary>
    Answer,

    /// <summary>The answers lead to another outcome or claim.</summary>
    Outcome,
}

/// <summary>A decision with all that it rests on, as JSON: whoever has the policy can decide again, without us and without a
/// network.</summary>
/// <remarks>
/// <code>
/// { "version": 1, "path": "/nix/store/…", "outcome": "agreed", "decidedAt": "2026-11-24T12:00:00.000Z",
///   "claim": { "narHash": "sha256:…", "narSize": 1, "references": ["…"] },            null for a refusal
/// "narInfo": null, with the CA line, for what is served for its content's sake
///   "policy": { "identity": "64 hex digits", "text": "policy 2\n…" },
///   "answers": [ { "elector": "alice", "log": { "head": "base64 protobuf", "map": "…", "inclusion": ["…"], "value": "…" } },
/// { "elector": "nixos", "narInfo": "StorePath: …" }, { "elector": "bob", "notFound": 12 }, { "elector": "carol", "silent": "NoAnswer" } ],
///   "sha256": "of all of the above as JSON without white space" }
/// </code>
/// Who is silent in it can only be believed: what an elector did not say cannot be proven. Nothing else in it has to be.</remarks>
public sealed class DecisionBundle
{
    private const int FormatVersion = 1;

    private static readonly StoredBundleJson Strict = new(new JsonSerializerOptions(JsonSerializerDefaults.Web)
    {
        AllowDuplicateProperties = false,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        MaxDepth = 16,
        NumberHandling = JsonNumberHandling.Strict,
        PropertyNameCaseInsensitive = false,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    });

    private readonly StoredBundle _content;

    private DecisionBundle(StoredBundle content, Digest hash) => (_content, Hash) = (content, hash);

    /// <summary>SHA-256 of all that is in it.</summary>
    public Digest Hash { get; }

    /// <summary>The path that was decided on, absolute.</summary>
    public string Path => _content.Path;

    /// <summary>The word that stood in <c>X-Trustix-Decision</c>.</summary>
    public string Outcome => _content.Outcome;

    /// <summary>When it was decided.</summary>
    public string DecidedAt => _content.DecidedAt;

    /// <summary>Puts a decision together with what it rests on.</summary>
    /// <param name="path">The path that was decided on.</param>
    /// <param name="record">The decision.</param>
    /// <param name="verdict">What the electors' answers came to; their proofs were kept.</param>
    /// <param name="policy">The policy.</param>
    public static DecisionBundle Of(StorePath path, DecisionRecord record, Verdict verdict, Policy policy)
    {
        var content = new StoredBundle(
            FormatVersion, path.Absolute, record.Outcome, StoredBundle.TimeOf(record.DecidedAt), BundledClaim.Of(record.Claim),
            record.MustMatch is { } address ? NarInfoOf(record.Claim!, address).ToString() : null,
            new BundledPolicy(policy.Identity.ToString(), policy.Text), [.. verdict.Answers.Select(BundledAnswer.Of)], null);
        var hash = HashOf(content);
        return new DecisionBundle(content with { Sha256 = hash.ToString() }, hash);
    }

    /// <summary>Decides again from the bundle alone.</summary>
    /// <param name="json">The bundle.</param>
    /// <param name="policy">The policy of whoever checks: names and keys of electors come from here only.</param>
    /// <param name="bundle">The bundle, if it shows what it says.</param>
    /// <param name="verdict">What the answers come to; null when they cannot be read.</param>
    /// <param name="error">Why it does not show that.</param>
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

        error = content.Version is not FormatVersion ? DecisionBundleError.Version
            : content.Sha256 != HashOf(content).ToString() ? DecisionBundleError.Digest
            : content.Policy != new BundledPolicy(policy.Identity.ToString(), policy.Text) ? DecisionBundleError.Policy
            : Judge(content, path, policy, out var ballots) is var failure and not DecisionBundleError.None ? failure
            : Compare(content, path, verdict = policy.Except(path, policy.Decide(path, ballots), decidedAt), policy);
        bundle = error is DecisionBundleError.None ? new DecisionBundle(content, HashOf(content)) : null;
        return bundle is not null;
    }

    /// <summary>The JSON, without white space.</summary>
    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(_content, Strict.StoredBundle);

    private static bool TryRead(ReadOnlySpan<byte> json, [NotNullWhen(true)] out StoredBundle? content,
        [NotNullWhen(true)] out StorePath? path, out DateTimeOffset decidedAt)
    {
        (content, path, decidedAt) = (null, null, default);
        try
        {
            var text = JsonSerializer.Deserialize(json, Strict.JsonElement);
            content = text.Deserialize(Strict.StoredBundle);
            // one spelling, apart from white space
            content = JsonSerializer.SerializeToUtf8Bytes(text, Strict.JsonElement).AsSpan()
                .SequenceEqual(JsonSerializer.SerializeToUtf8Bytes(content!, Strict.StoredBundle)) ? content : null;
        }
        catch (JsonException)
        {
            // Foreign bytes.
        }

        return content is not null && StorePath.TryParseAbsolute(content.Path, out path, out _)
            && StoredBundle.TryReadTime(content.DecidedAt, out decidedAt);
    }

    private static DecisionBundleError Judge(StoredBundle content, StorePath path, Policy policy, out Dictionary<string, Ballot> ballots)
    {
        ballots = [];
        if (!content.Answers.Select(answer => answer.Elector).SequenceEqual(policy.Electors.Select(elector => elector.Name)))
        {
            return DecisionBundleError.Electors;
        }

        foreach (var (answer, elector) in content.Answers.Zip(policy.Electors))
        {
            var error = answer.Judge(elector, path, out var ballot);
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
        var isShown = content.Outcome switch
        {
            "no-upstream" => content is { Claim: null, NarInfo: null },
            "content-addressed" => verdict.Granted is null && policy.ServesContentAddressed && IsOfContentAddress(content, path),
            "report" =>
                policy.Fallback is { } name && content.NarInfo is null
                && verdict.Answers.Any(answer => answer.Elector.Name == name && IsClaim(answer.Ballot, content.Claim)),
            _ => content.Outcome == verdict.Outcome && content.NarInfo is null && Equals(content.Claim, BundledClaim.Of(verdict.Granted)),
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
        Digest.Of(JsonSerializer.SerializeToUtf8Bytes(content with { Sha256 = null }, Strict.StoredBundle));
}
