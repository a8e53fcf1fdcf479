using System.Text.Json;
using System.Text.Json.Serialization;
using TrustixProxy.Consensus;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nars.Store;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Rebuilder.Records;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Inspection;
using TrustixProxy.Substituter.Wanted;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Terminal;

/// <summary>What <c>explain --json</c> prints.</summary>
internal sealed record ExplanationJson(
    string? Path, string Outcome, string Sentence, string? NarHash, long? NarSize, IEnumerable<string>? References, string? Rule,
        string Policy, IEnumerable<ExplainedAnswer>? Answers,
    IReadOnlyList<UpstreamReport> Upstreams)
{
    /// <summary>References that would be refused; null where the path itself is.</summary>
    public IEnumerable<string>? RefusedReferences { get; init; }

    /// <summary>NARs of upstreams that the running proxy has refused for the path.</summary>
    public IReadOnlyList<RefusedNar> RefusedNars { get; init; } = [];

    /// <summary>Logs whose votes do not count because too few of their witnesses have lately seen their heads.</summary>
    public IReadOnlyList<UnwitnessedLog> Unwitnessed { get; init; } = [];

    /// <summary>What this machine's rebuilder has built, and from which inputs without a vote; null when it has not.</summary>
    public BuildRecord? Rebuilt { get; init; }
}

/// <summary>An elector's answer in it.</summary>
internal sealed record ExplainedAnswer(string Elector, string Operator, string Says, string Proof, long? HeadSize, double? Milliseconds);

/// <summary>What <c>policy test --json</c> prints.</summary>
internal sealed record TestedPolicy(
    string Name, string? Scope, string Rule, string Dissent, IEnumerable<IReadOnlyList<string>> SatisfiedBy,
        IReadOnlyList<string> NotCounted, IEnumerable<TestedException> Exceptions, string? Fallback);

/// <summary>An exception in it.</summary>
internal sealed record TestedException(string Text, bool IsExpired);

/// <summary>What <c>verify --json</c> prints of evidence that holds.</summary>
internal sealed record VerifiedEvidence(bool Verified, string Log, string Fault, IEnumerable<long> Sizes);

/// <summary>The same of a bundle that holds.</summary>
/// <param name="Witnessed">The answers under heads that witnesses have cosigned.</param>
internal sealed record VerifiedBundle(
    bool Verified, string Path, string Outcome, string DecidedAt, string Sentence, IReadOnlyList<WitnessedAnswer> Witnessed);

/// <summary>An answer in it under a head that witnesses have cosigned.</summary>
internal sealed record WitnessedAnswer(string Elector, long HeadSize, IReadOnlyList<string> Witnesses, DateTimeOffset? NewestAt)
{
    /// <summary>Reads who has seen an answer's head; null where no witnesses are demanded.</summary>
    public static WitnessedAnswer? Of(Answer answer) => answer.Ballot switch
    {
        Ballot.Claimed { Proof: VoteProof.ByLog { Evidence: { Witnessed: { } witnessed } evidence } } =>
            Of(answer.Elector.Name, evidence, witnessed),
        Ballot.Absent { Evidence: { Witnessed: { } witnessed } evidence } => Of(answer.Elector.Name, evidence, witnessed),
        _ => null,
    };

    /// <inheritdoc/>
    public override string ToString() => $"{Elector}: {Witnesses.Count} of its policy's witnesses saw its head of size {HeadSize:N0} "
        + $"(last {NewestAt?.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z): {string.Join(", ", Witnesses)}";

    private static WitnessedAnswer Of(string elector, LogEvidence evidence, CheckpointVerdict.Witnessed witnessed) =>
        new(elector, evidence.Head.Content.TreeSize, witnessed.Witnesses, witnessed.NewestAt);
}

/// <summary>What <c>gate</c> prints as JSON.</summary>
/// <param name="Passes">Whether every added path would be served, and nothing is uncertain.</param>
/// <param name="Failed">Number of added paths that do not pass.</param>
/// <param name="Uncertain">Number of added paths about which answers are missing.</param>
/// <param name="Added">The added paths, those that do not pass first.</param>
/// <param name="Removed">Paths of the old side that the new one lacks.</param>
internal sealed record GateJson(bool Passes, int Failed, int Uncertain, IEnumerable<GatedPath> Added, IEnumerable<string> Removed);

/// <summary>An added path in it.</summary>
/// <param name="Against">Claims proven against the installed path, by elector.</param>
internal sealed record GatedPath(
    string Path, bool Passes, string Outcome, string Sentence, bool IsUncertain, string? Installed,
        IReadOnlyDictionary<string, string> Against);

/// <summary>What <c>audit-cache --json</c> prints.</summary>
/// <param name="Paths">Paths known: asked for, or found as references.</param>
/// <param name="Earlier">Right paths that an earlier run has checked.</param>
/// <param name="Left">Paths not checked.</param>
/// <param name="Others">All paths that are not right.</param>
internal sealed record CacheAuditJson(
    string Cache, int Paths, int Right, int Earlier, int Wrong, int Absent, int Unknown, int Left, IEnumerable<AuditedPathJson> Others);

/// <summary>A path in it.</summary>
internal sealed record AuditedPathJson(string Path, string Verdict, string? Why, IEnumerable<CacheFaultJson> Faults);

/// <summary>What does not hold of it.</summary>
internal sealed record CacheFaultJson(string Kind, string Said, string Found);

/// <summary>What <c>verify --json</c> prints of what does not hold.</summary>
internal sealed record NotVerified(bool Verified, string Why);

/// <summary>What <c>log fsck --json</c> prints.</summary>
internal sealed record LogCheckReport(string Log, long Entries, long Heads, IReadOnlyList<string> Faults, bool AreAll);

/// <summary>What <c>why --json</c> prints.</summary>
internal sealed record WhyJson(
    IReadOnlyList<WhyRoot> Roots, IReadOnlyList<UpstreamReport> Upstreams, IReadOnlyList<UnwitnessedLog> Unwitnessed);

/// <summary>A root in it.</summary>
/// <param name="Paths">Number of paths in its closure, as far as it is known.</param>
/// <param name="HeldBackBy">The paths of its closure that would be refused, the worst first.</param>
internal sealed record WhyRoot(string Path, string Outcome, int Paths, IEnumerable<WhyObstacle> HeldBackBy);

/// <summary>A path that holds a root back.</summary>
/// <param name="Chain">The references from the root to the path, with both.</param>
internal sealed record WhyObstacle(
    string Path, string Outcome, string Cause, string Sentence, bool IsUncertain, int NeededBy, IEnumerable<string> Chain,
        IReadOnlyList<Remedy> Help);

/// <summary>A revocation as <c>audit --json</c> prints it.</summary>
internal sealed record AuditedRevocation(DateTimeOffset At, string Outcome, long Number, string Subject, string Reason);

/// <summary>What verbs print for other programs.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(AuditEntry))]
[JsonSerializable(typeof(AuditedRevocation))]
[JsonSerializable(typeof(CacheAuditJson))]
[JsonSerializable(typeof(DoctorSummary))]
[JsonSerializable(typeof(ExplanationJson))]
[JsonSerializable(typeof(GateJson))]
[JsonSerializable(typeof(IReadOnlyList<LogStatus>))]
[JsonSerializable(typeof(LogCheckReport))]
[JsonSerializable(typeof(NarStoreCheckResult))]
[JsonSerializable(typeof(NarStoreGcResult))]
[JsonSerializable(typeof(NotVerified))]
[JsonSerializable(typeof(TestedPolicy))]
[JsonSerializable(typeof(VerifiedBundle))]
[JsonSerializable(typeof(WantedList))]
[JsonSerializable(typeof(VerifiedEvidence))]
[JsonSerializable(typeof(WhyJson))]
internal sealed partial class VerbJson : JsonSerializerContext
{
    /// <summary>The form that all verbs print: indented, and with every character that JSON allows.</summary>
    public static VerbJson Indented { get; } = new(new JsonSerializerOptions(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping
    });
}
