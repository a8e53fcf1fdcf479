using System.Text.Json.Serialization;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Consensus;

/// <summary>The JSON of a stored decision. It is read only under a valid MAC, so <see cref="DecisionSeal"/> wrote it.</summary>
internal sealed record StoredDecision(
    string Policy, string Outcome, string Sentence, long DecidedAt, long ExpiresAt, StoredDecision.StoredClaim? Claim,
        StoredBallots Ballots, StoredDecision.StoredHints? Hints)
{
    public static StoredDecision Of(DecisionRecord record, string policy) => new(
        policy, record.Outcome.Word(), record.Sentence,
        record.DecidedAt.ToUnixTimeMilliseconds(), record.ExpiresAt.ToUnixTimeMilliseconds(),
        StoredClaim.Of(record.Claim), StoredBallots.Of(record.Ballots, record.Claim), StoredHints.Of(record.Hints));

    public DecisionRecord ToRecord()
    {
        var claim = Claim?.ToClaim();
        return new DecisionRecord(
            OutcomeWords.TryParse(Outcome, out var outcome) ? outcome : throw Damaged(Outcome),
            Sentence, DateTimeOffset.FromUnixTimeMilliseconds(DecidedAt), DateTimeOffset.FromUnixTimeMilliseconds(ExpiresAt),
                claim, Ballots.ToBallots(claim), Hints?.ToHints(claim?.Path.Store ?? Store.Nix));
    }

    internal sealed record StoredClaim(string Path, string NarHash, long NarSize, string[] References)
    {
        /// <summary>The store's directory; absent for Nix's.</summary>
        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        public string? Store { get; init; }

        public static StoredClaim? Of(OutputClaim? claim) => claim is null
            ? null
            : new(claim.Path.ToString(), claim.NarHash.ToString(), claim.NarSize,
                [.. claim.References.Select(reference => reference.ToString())])
            {
                Store = claim.Path.Store == Nix.Store.Nix ? null : claim.Path.Store.Directory,
            };

        public OutputClaim ToClaim()
        {
            var store = StoreOf(Store);
            return new(PathOf(Path, store), new NarHash(HashOf(NarHash)), NarSize, References.Select(text => PathOf(text, store)));
        }
    }

    internal sealed record StoredHints(
        string Compression, string FileHash, long? FileSize, string? Deriver, string? Ca, string[] Signatures, string Upstream)
    {
        public static StoredHints? Of(NarHints? hints) => hints is null
            ? null
            : new(hints.Compression, hints.FileHash.ToString(), hints.FileSize, hints.Deriver?.ToString(), hints.ContentAddress?.ToString(),
                [.. hints.Signatures.Select(signature => signature.ToString())], hints.Upstream);

        public NarHints ToHints(Store store) => new(
            Compression,
            HashOf(FileHash),
            FileSize,
            Deriver is null ? null : PathOf(Deriver, store),
            Ca is not null && ContentAddress.TryParse(Ca, out var address) ? address : null,
            [.. Signatures.Select(text => CacheSignature.TryParse(text, out var signature) ? signature : throw Damaged(text))],
            Upstream);
    }

    private static Store StoreOf(string? text) =>
        text is null ? Nix.Store.Nix : Nix.Store.TryParse(text, out var store) ? store : throw Damaged(text);

    private static StorePath PathOf(string text, Store store) =>
        StorePath.TryParse(text, store, out var path, out _) ? path : throw Damaged(text);

    private static NixHash HashOf(string text) => NixHash.TryParse(text, out var hash, out _) ? hash : throw Damaged(text);

    private static InvalidOperationException Damaged(string text) =>
        new($"A decision record with a valid MAC holds '{text}', which this program never wrote.");
}

/// <summary>The ballots; claims other than the decision's own are written once.</summary>
internal sealed record StoredBallots(StoredVote[] Votes, StoredDecision.StoredClaim[] Others, string[] NotHeard)
{
    public static StoredBallots Of(CountedBallots ballots, OutputClaim? own)
    {
        List<OutputClaim> others = [.. ballots.Votes.Select(vote => vote.Claim).Where(claim => claim != own).Distinct()];
        return new StoredBallots(
            [.. ballots.Votes.Select(vote => StoredVote.Of(vote, others.IndexOf(vote.Claim)))],
            [.. others.Select(claim => StoredDecision.StoredClaim.Of(claim)!)], [.. ballots.NotHeard]);
    }

    public CountedBallots ToBallots(OutputClaim? own)
    {
        OutputClaim[] others = [.. Others.Select(claim => claim.ToClaim())];
        return new CountedBallots([.. Votes.Select(vote => vote.ToVote(vote.Other < 0 ? own! : others[vote.Other]))], [.. NotHeard]);
    }
}

/// <summary>One vote. <c>Other</c> is the index of its claim among the other claims; negative for the decision's own.</summary>
internal sealed record StoredVote(string Elector, int Other, long? Leaf, long HeadSize, byte[]? HeadRoot, bool IsTied, string? Signature)
{
    /// <summary>Seconds since 1970 of the head's newest cosignature; records of earlier versions have none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? WitnessedAt { get; init; }

    /// <summary>Seconds for which the log was known to have held the entry; absent when nothing showed it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Age { get; init; }

    public static StoredVote Of(Vote vote, int other) => new(
        vote.Elector, other, vote.Position?.Leaf, vote.Position?.HeadSize ?? 0, vote.Position?.HeadRoot?.ToArray(), vote.Position?.IsTied
            ?? true, vote.Signature)
    {
        WitnessedAt = vote.Position?.WitnessedAt?.ToUnixTimeSeconds(),
        Age = (long?)vote.Position?.Age?.TotalSeconds,
    };

    public Vote ToVote(OutputClaim claim) => new(
        Elector, claim, Leaf is { } leaf
            ? new VotePosition(leaf, HeadSize, HeadRoot is { Length: > 0 } root ? new Digest(root) : null, IsTied)
            {
                WitnessedAt = WitnessedAt is { } seconds ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null,
                Age = Age is { } age ? TimeSpan.FromSeconds(age) : null,
            } : null, Signature);
}

[JsonSerializable(typeof(StoredDecision))]
internal sealed partial class StoredDecisionJson : JsonSerializerContext;
