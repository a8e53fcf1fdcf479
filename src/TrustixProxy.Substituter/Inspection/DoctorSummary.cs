using System.Text.Json;
using System.Text.Json.Serialization;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Substituter.Inspection;

/// <summary>A path in a report whose installed form electors contradict.</summary>
/// <param name="Path">The path.</param>
/// <param name="Outcome">What would be decided.</param>
/// <param name="Installed">The NAR hash that is installed.</param>
/// <param name="Against">What electors prove instead, by name.</param>
public sealed record ContradictedPath(string Path, string Outcome, string Installed, IReadOnlyDictionary<string, string> Against);

/// <summary>A path in a report that would be refused.</summary>
/// <param name="Path">The path.</param>
/// <param name="Outcome">The word that would stand in <c>X-Trustix-Decision</c>.</param>
/// <param name="Sentence">The reason in one line.</param>
/// <param name="IsUncertain">Whether that is for want of answers.</param>
/// <param name="Installed">The NAR hash that is installed; null when it is not.</param>
/// <param name="NeededBy">How many others need it.</param>
/// <param name="CompletedBy">Whose vote would decide it, and what they say now.</param>
public sealed record RefusedPath(string Path, string Outcome, string Sentence, bool IsUncertain, string? Installed, int NeededBy,
    IReadOnlyDictionary<string, string> CompletedBy);

/// <summary>An elector whose vote would decide paths.</summary>
/// <param name="Elector">Its name.</param>
/// <param name="Decides">How many.</param>
/// <param name="Now">What it says of them now.</param>
public sealed record HelpfulElector(string Elector, int Decides, IReadOnlyDictionary<string, int> Now);

/// <summary>What <c>doctor</c> has found, as it is written for programs and kept for the dashboard.</summary>
/// <param name="Paths">How many were looked at.</param>
/// <param name="Installed">How many of them are installed.</param>
/// <param name="Outcomes">How many by what would be decided.</param>
/// <param name="InstalledOtherwise">Those whose installed form electors contradict, the worst first.</param>
/// <param name="Refused">Those that would be refused, the worst first.</param>
/// <param name="Helpers">Whose votes would help, the most first.</param>
public sealed record DoctorSummary(
    int Paths, int Installed, IReadOnlyDictionary<string, int> Outcomes, IReadOnlyList<ContradictedPath> InstalledOtherwise,
        IReadOnlyList<RefusedPath> Refused, IReadOnlyList<HelpfulElector> Helpers)
{
    private const string FileName = "doctor.json";

    /// <summary>How the upstreams and signed caches did; empty in reports of earlier versions.</summary>
    public IReadOnlyList<UpstreamReport> Upstreams { get; init; } = [];

    /// <summary>NARs of upstreams that the running proxy has refused; empty in reports of earlier versions.</summary>
    public IReadOnlyList<RefusedNar> RefusedNars { get; init; } = [];

    /// <summary>The most bytes of a report that is read; some hundred thousand paths.</summary>
    private const int MaxSize = 64 << 20;

    /// <summary>The report that was kept last, and when; null when there is none that can be read.</summary>
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

    /// <summary>Keeps it in the place of the last one: whole or not at all.</summary>
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
