using System.Text.Json;
using System.Text.Json.Serialization;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Substituter.Inspection;

/// <summary>A reported path whose installed NAR differs from proven claims.</summary>
/// <param name="Outcome">Outcome of a decision.</param>
/// <param name="Installed">The NAR hash that is installed.</param>
/// <param name="Against">Claims proven instead, by elector.</param>
public sealed record ContradictedPath(string Path, string Outcome, string Installed, IReadOnlyDictionary<string, string> Against);

/// <summary>A reported path that would be refused.</summary>
/// <param name="Outcome">Value that <c>X-Trustix-Decision</c> would have.</param>
/// <param name="Sentence">The reason in one line.</param>
/// <param name="IsUncertain">Whether missing answers are the reason.</param>
/// <param name="Installed">The installed NAR hash; null if not installed.</param>
/// <param name="NeededBy">Number of other paths that depend on it.</param>
/// <param name="CompletedBy">Electors whose vote would decide it, with their current answers.</param>
public sealed record RefusedPath(string Path, string Outcome, string Sentence, bool IsUncertain, string? Installed, int NeededBy,
    IReadOnlyDictionary<string, string> CompletedBy)
{
    /// <summary>What paths that are refused for the same reason share; null in reports of earlier versions.</summary>
    public string? Cause { get; init; }

    /// <summary>Number of roots that it holds back: paths that no other path refers to; 0 in reports of earlier versions.</summary>
    public int Roots { get; init; }
}

/// <summary>Refused paths with the same cause.</summary>
/// <param name="Paths">Number of paths.</param>
/// <param name="Worst">The path among them that most others need, after those revoked and those in conflict.</param>
public sealed record RefusalCause(string Cause, int Paths, string Worst);

/// <summary>An elector whose vote would decide paths.</summary>
/// <param name="Decides">Number of paths.</param>
/// <param name="Now">Its current answers on them.</param>
public sealed record HelpfulElector(string Elector, int Decides, IReadOnlyDictionary<string, int> Now);

/// <summary>Report of <c>doctor</c> as JSON, also stored for the dashboard.</summary>
/// <param name="Paths">Paths checked.</param>
/// <param name="Installed">Paths installed.</param>
/// <param name="Outcomes">Number of paths by outcome.</param>
/// <param name="InstalledOtherwise">Paths whose installed NAR differs from proven claims, worst first.</param>
/// <param name="Refused">Paths that would be refused, worst first.</param>
/// <param name="Helpers">Electors whose votes would help, most useful first.</param>
public sealed record DoctorSummary(
    int Paths, int Installed, IReadOnlyDictionary<string, int> Outcomes, IReadOnlyList<ContradictedPath> InstalledOtherwise,
        IReadOnlyList<RefusedPath> Refused, IReadOnlyList<HelpfulElector> Helpers)
{
    private const string FileName = "doctor.json";

    /// <summary>States of the upstreams and signed caches; empty in reports of earlier versions.</summary>
    public IReadOnlyList<UpstreamReport> Upstreams { get; init; } = [];

    /// <summary>Logs whose heads too few witnesses have lately seen; empty in reports of earlier versions.</summary>
    public IReadOnlyList<UnwitnessedLog> Unwitnessed { get; init; } = [];

    /// <summary>NARs refused by the running proxy; empty in reports of earlier versions.</summary>
    public IReadOnlyList<RefusedNar> RefusedNars { get; init; } = [];

    /// <summary>Paths installed as they were accepted, although an outvoted elector proves another output; empty in reports of earlier
    /// versions.</summary>
    public IReadOnlyList<ContradictedPath> Dissents { get; init; } = [];

    /// <summary>The causes of the refusals, the most frequent first; empty in reports of earlier versions.</summary>
    public IReadOnlyList<RefusalCause> Causes { get; init; } = [];

    /// <summary>How the findings differ from a baseline: the lists above then have only what is new or changed; null without
    /// one.</summary>
    public BaselineDifference? Baseline { get; init; }

    /// <summary>The keys that a client of GNU Guix believes; null where none was looked at.</summary>
    public ClientAcl? Acl { get; init; }

    /// <summary>What in this machine's Nix bypasses the vote, each with its remedy; empty where its Nix does not ask the proxy, and in
    /// reports of earlier versions.</summary>
    public IReadOnlyList<string> Bypasses { get; init; } = [];

    /// <summary>Maximum bytes of a report; some hundred thousand paths.</summary>
    private const int MaxSize = 64 << 20;

    /// <summary>Reads the last report and its time; null if there is no readable one.</summary>
    public static (DoctorSummary Report, DateTimeOffset At)? Read(string stateDirectory)
    {
        var file = new FileInfo(Path.Combine(stateDirectory, FileName));
        try
        {
            return file is { Exists: true, Length: <= MaxSize } && JsonSerializer.Deserialize(
                File.ReadAllBytes(file.FullName), DoctorJson.Default.DoctorSummary) is { } report ? (report, file.LastWriteTimeUtc) : null;
        }
        catch (Exception exception) when (exception is JsonException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Returns how many roots each refused path held back in the last report; empty without one.</summary>
    public static IReadOnlyDictionary<string, int> RootsOf(string stateDirectory) => (Read(stateDirectory)?.Report.Refused ?? [])
        .DistinctBy(path => path.Path).ToDictionary(path => path.Path, path => path.Roots);

    /// <summary>Replaces the stored report atomically.</summary>
    public void Keep(string stateDirectory)
    {
        var (file, part) = (Path.Combine(stateDirectory, FileName), Path.Combine(stateDirectory, $"{FileName}.{Guid.NewGuid():N}.part"));
        File.WriteAllBytes(part, JsonSerializer.SerializeToUtf8Bytes(this, DoctorJson.Default.DoctorSummary));
        File.Move(part, file, overwrite: true);
    }
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(DoctorSummary))]
internal sealed partial class DoctorJson : JsonSerializerContext;
