using System.Collections.Immutable;
using System.Text.Json.Serialization;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;

namespace TrustixProxy.Rebuilder.Records;

/// <summary>How far a rebuild is.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<BuildState>))]
public enum BuildState
{
    /// <summary>What it needs is brought into the store.</summary>
    [JsonStringEnumMemberName("preparing")]
    Preparing,

    /// <summary>Its build has begun: the store held none of its outputs then.</summary>
    [JsonStringEnumMemberName("building")]
    Building,

    /// <summary>It was built, and its result is not in the spool yet.</summary>
    [JsonStringEnumMemberName("built")]
    Built,

    /// <summary>It was built, and its result was put into the spool.</summary>
    [JsonStringEnumMemberName("queued")]
    Queued,

    /// <summary>It could not be built, or not yet. Nothing is published.</summary>
    [JsonStringEnumMemberName("failed")]
    Failed,

    /// <summary>The rebuilder ended, or was ended, in the middle of it.</summary>
    [JsonStringEnumMemberName("interrupted")]
    Interrupted,
}

/// <summary>What is known of one rebuild; kept as one JSON file.</summary>
/// <param name="Path">The wanted store path, absolute.</param>
/// <param name="Derivation">The derivation, absolute; null while none is found.</param>
public sealed record BuildRecord(string Path, string? Derivation, BuildState State)
{
    /// <summary>Number of builds begun, this one included.</summary>
    public int Attempts { get; init; }

    /// <summary>How often it had to wait before a build could begin or be judged: for inputs, its derivation, or disk space.</summary>
    public int Waits { get; init; }

    /// <summary>How often the rebuilder or its machine broke down in the middle of it.</summary>
    public int Interruptions { get; init; }

    /// <summary>Whether the last build began with none of its outputs in the store, and was not judged. Then outputs in the store are
    /// of that build.</summary>
    public bool BeganEmpty { get; init; }

    /// <summary>What was built before, where a later build was asked for and gave something else, or nothing; null otherwise.</summary>
    public BuildRecord? Before { get; init; }

    /// <summary>When the last attempt began.</summary>
    public DateTimeOffset StartedAt { get; init; }

    /// <summary>When it ended; null while it has not.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>What the build gave; empty without one.</summary>
    public ImmutableArray<BuiltOutput> Outputs { get; init; } = [];

    /// <summary>Inputs that neither prove themselves, nor were built here, nor had the votes of a quorum.</summary>
    public ImmutableArray<UnvotedInput> Unvoted { get; init; } = [];

    /// <summary>Why it failed or ended early; empty when it did not.</summary>
    public string Reason { get; init; } = "";

    /// <summary>When it may be tried again; null when it will not be.</summary>
    public DateTimeOffset? RetryAt { get; init; }

    /// <summary>Whether it was built.</summary>
    [JsonIgnore]
    public bool IsBuilt => State is BuildState.Built or BuildState.Queued;

    /// <summary>Whether this build may have ended the rebuilder.</summary>
    [JsonIgnore]
    public bool IsSuspect => Interruptions > 0 && !IsBuilt;

    /// <summary>Whether nothing is missing that a record of a file must have.</summary>
    internal bool IsWhole => StorePath.TryParseAbsolute(Path, out _, out _) && Reason is not null && !Outputs.IsDefault
        && !Unvoted.IsDefault && Outputs.All(output => output is { Path: not null, References.IsDefault: false })
        && Before is null or { IsWhole: true };

    /// <summary>The store paths that this record answers for.</summary>
    [JsonIgnore]
    public IEnumerable<string> Answers => Outputs.Concat(Before?.Outputs ?? []).Select(output => output.Path).Prepend(Path)
        .Distinct();

    /// <summary>Whether another build gave the same outputs.</summary>
    internal bool HasOutputsOf(BuildRecord other) => Outputs.Length == other.Outputs.Length
        && Outputs.All(output => other.HashOf(output.Path) == output.NarHash);

    /// <summary>The NAR hash of an output; null when the build did not give it.</summary>
    /// <param name="path">Its store path, absolute.</param>
    public string? HashOf(string path) => Outputs.FirstOrDefault(output => output.Path == path)?.NarHash;

    /// <inheritdoc/>
    public override string ToString() => State switch
    {
        BuildState.Failed => $"failed {Path}: {string.Join(' ', Reason.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))}",
        BuildState.Interrupted => $"interrupted {Path}: {Reason}",
        BuildState.Preparing => $"preparing {Path}",
        BuildState.Building => $"building {Path}",
        _ => $"built {Path}: {HashOf(Path) ?? "no such output"}"
            + (Unvoted.IsEmpty ? "" : $" from {Unvoted.Length} input{(Unvoted.Length is 1 ? "" : "s")} without a quorum's votes"),
    };
}

/// <summary>An output as this build gave it.</summary>
/// <param name="Path">Its store path, absolute.</param>
/// <param name="NarHash">SHA-256 of its NAR, as Nix writes it: <c>sha256:…</c>.</param>
/// <param name="NarSize">Length of its NAR in bytes.</param>
/// <param name="References">What it refers to, absolute.</param>
public sealed record BuiltOutput(string Path, string NarHash, long NarSize, ImmutableArray<string> References)
{
    /// <summary>Takes over what Nix says.</summary>
    public static BuiltOutput Of(BuildStatement built) => new(built.Path.Absolute, built.NarHash.ToString(), built.NarSize,
        [.. built.References.Select(reference => reference.Absolute).Order(StringComparer.Ordinal)]);

    /// <summary>Returns what a log is told; null when a record was damaged.</summary>
    public DescribedOutput? ToDescribed()
    {
        var references = References.Select(text => StorePath.TryParseAbsolute(text, out var read, out _) ? read : null).ToList();
        return StorePath.TryParseAbsolute(Path, out var path, out _) && NixHash.TryParse(NarHash, out var hash, out _)
            && !references.Contains(null)
            ? new DescribedOutput(new BuildStatement(path, hash, NarSize, [.. references.OfType<StorePath>()]), IsBuiltHere: true, null)
            : null;
    }
}

/// <summary>An input that was taken without the votes of a quorum.</summary>
/// <param name="Path">Its store path, absolute.</param>
/// <param name="NarHash">SHA-256 of its NAR in this store.</param>
/// <param name="Reason">What the substituter said of it instead: <c>excepted</c>, <c>report</c>, <c>no decision</c> …</param>
public sealed record UnvotedInput(string Path, string NarHash, string Reason);

/// <summary>The JSON form of records.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(BuildRecord))]
[JsonSerializable(typeof(IReadOnlyList<BuildRecord>))]
public sealed partial class RecordJson : JsonSerializerContext;
