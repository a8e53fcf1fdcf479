using System.Text.Json;
using System.Text.Json.Serialization;
using TrustixProxy.Consensus;

namespace TrustixProxy.Substituter.Inspection;

/// <summary>A path that was refused, or installed otherwise than electors prove.</summary>
/// <param name="Outcome">Outcome of the decision.</param>
/// <param name="Cause">Cause of the refusal; null if it would be served.</param>
/// <param name="Against">Proven NAR hashes that contradict the installed path, by elector.</param>
public sealed record BaselinePath(string Path, string Outcome, string? Cause, IReadOnlyDictionary<string, string> Against);

/// <summary>How findings differ from a baseline.</summary>
/// <param name="Since">Time of the baseline.</param>
/// <param name="New">Paths with a problem that had none.</param>
/// <param name="Changed">Paths with another problem than before.</param>
/// <param name="Worse">Those of them that are now refused, in conflict, revoked, or contradicted by another elector.</param>
/// <param name="Solved">Paths whose problem is gone.</param>
/// <param name="Same">Number of paths whose problem is as before.</param>
/// <param name="NotSeen">Number of paths of the baseline that were not looked at this time.</param>
public sealed record BaselineDifference(
    DateTimeOffset Since, IReadOnlyList<string> New, IReadOnlyList<string> Changed, IReadOnlyList<string> Worse,
    IReadOnlyList<string> Solved, int Same, int NotSeen);

/// <summary>The problems that <c>doctor --baseline</c> has seen, kept in one file.</summary>
/// <param name="Version">Version of the form, 1.</param>
/// <param name="At">When they were seen.</param>
/// <param name="Paths">Paths with a problem, by name.</param>
public sealed record DoctorBaseline(int Version, DateTimeOffset At, IReadOnlyList<BaselinePath> Paths)
{
    private const int CurrentVersion = 1;

    /// <summary>Maximum bytes of a baseline; some hundred thousand problems.</summary>
    private const int MaxSize = 64 << 20;

    /// <summary>Reads a baseline; null if there is no such file.</summary>
    /// <exception cref="FormatException">The file is not a baseline, cannot be read, or could not be made.</exception>
    public static DoctorBaseline? Read(string file)
    {
        const string Advice = "Remove it to start anew, or name another file.";
        if (file.Length is 0 || Directory.Exists(file) || !Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(file))))
        {
            throw new FormatException($"--baseline: '{file}' is a folder, or in none that exists. Name a file in an existing folder.");
        }

        try
        {
            var info = new FileInfo(file);
            if (!info.Exists)
            {
                return null;
            }

            if (info.Length > MaxSize)
            {
                throw new FormatException($"--baseline: '{file}' has {info.Length:N0} bytes; at most {MaxSize:N0} are read. {Advice}");
            }

            return JsonSerializer.Deserialize(File.ReadAllBytes(file), BaselineJson.Default.DoctorBaseline) switch
            {
                { Version: CurrentVersion } baseline when HasEachOnce(baseline.Paths) => baseline,
                { Version: not CurrentVersion and var version } =>
                    throw new FormatException($"--baseline: '{file}' has version {version}; {CurrentVersion} is read. {Advice}"),
                _ => throw new FormatException($"--baseline: '{file}' is empty, or names a path twice or not at all. {Advice}"),
            };
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new FormatException($"--baseline: '{file}' cannot be read: {exception.Message} Name another file.", exception);
        }
        catch (JsonException exception)
        {
            throw new FormatException($"--baseline: '{file}' is not a baseline of doctor: {exception.Message} {Advice}", exception);
        }
    }

    /// <summary>Returns what to keep: the problems of this time. Where answers are missing, what was known before stays.</summary>
    /// <param name="before">The baseline so far; null if there is none.</param>
    public static DoctorBaseline Of(IReadOnlyList<Finding> findings, DoctorBaseline? before, DateTimeOffset now)
    {
        var known = ByPath(before);
        return new DoctorBaseline(CurrentVersion, now,
        [
            .. findings.Where(IsProblem).Select(finding => Keep(finding, known.GetValueOrDefault(finding.Path.Absolute)))
                .OfType<BaselinePath>().OrderBy(path => path.Path, StringComparer.Ordinal),
        ]);
    }

    /// <summary>Returns how findings differ from this baseline.</summary>
    public BaselineDifference Compare(IReadOnlyList<Finding> findings)
    {
        var known = ByPath(this);
        var problems = findings.Where(IsProblem).ToList();
        var seen = findings.Select(finding => finding.Path.Absolute).ToHashSet();
        var troubled = problems.Select(finding => finding.Path.Absolute).ToHashSet();
        var (fresh, changed) = (problems.Where(finding => !known.ContainsKey(finding.Path.Absolute)).ToList(),
            problems.Where(finding => known.TryGetValue(finding.Path.Absolute, out var before) && IsChange(finding, before)).ToList());
        return new BaselineDifference(
            At, Names(fresh), Names(changed), Names(changed.Where(finding => IsWorse(finding, known[finding.Path.Absolute]))),
            [.. known.Keys.Where(path => seen.Contains(path) && !troubled.Contains(path)).Order(StringComparer.Ordinal)],
            problems.Count - fresh.Count - changed.Count, known.Keys.Count(path => !seen.Contains(path)));
    }

    /// <summary>Replaces the file atomically.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Write(string file)
    {
        var part = $"{file}.{Guid.NewGuid():N}.part";
        try
        {
            using (var stream = new FileStream(part, FileMode.CreateNew, FileAccess.Write))
            {
                stream.Write(JsonSerializer.SerializeToUtf8Bytes(this, BaselineJson.Default.DoctorBaseline));
                stream.Flush(flushToDisk: true);
            }

            File.Move(part, file, overwrite: true); // atomic: the whole file or none
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            if (File.Exists(part))
            {
                File.Delete(part);
            }

            throw new IOException($"--baseline: '{file}' cannot be written: {exception.Message}", exception);
        }
    }

    private static bool HasEachOnce(IReadOnlyList<BaselinePath?> paths) =>
        !paths.Contains(null) && paths.DistinctBy(path => path!.Path).Count() == paths.Count;

    private static Dictionary<string, BaselinePath> ByPath(DoctorBaseline? baseline) =>
        (baseline?.Paths ?? []).ToDictionary(path => path.Path);

    private static bool IsProblem(Finding finding) => !finding.IsServed || finding.IsContradicted;

    /// <summary>Whether a missing answer could change the refusal.</summary>
    private static bool IsOpen(Finding finding) => finding is { IsServed: false, IsUncertain: true };

    private static BaselinePath Describe(Finding finding) => new(
        finding.Path.Absolute, finding.Outcome.Word(), finding.IsServed ? null : Cause.Of(finding),
        finding.IsContradicted ? finding.Against.ToDictionary(vote => vote.Key, vote => vote.Value.ToString()) : []);

    /// <summary>Returns what to keep of a problem. A claim stays known while its elector is silent.</summary>
    private static BaselinePath? Keep(Finding finding, BaselinePath? before)
    {
        var now = Describe(finding);
        return before is null ? IsOpen(finding) && !finding.IsContradicted ? null : now
            : (IsOpen(finding) ? before : now) with
            {
                Against = finding.IsContradicted ? before.Against.Where(vote => !now.Against.ContainsKey(vote.Key)).Concat(now.Against)
                    .OrderBy(vote => vote.Key, StringComparer.Ordinal).ToDictionary() : before.Against,
            };
    }

    /// <summary>Whether the problem is another: an outcome, a cause, or a claim that is not in the baseline.</summary>
    private static bool IsChange(Finding finding, BaselinePath before) => IsContradictedAnew(finding, before)
        || (!IsOpen(finding) && (Describe(finding) is var now) && (now.Outcome != before.Outcome || now.Cause != before.Cause));

    private static bool IsWorse(Finding finding, BaselinePath before) => IsContradictedAnew(finding, before)
        || (before.Cause is null && !finding.IsServed)
        || (finding.Outcome is Outcome.Conflict or Outcome.Revoked && finding.Outcome.Word() != before.Outcome);

    private static bool IsContradictedAnew(Finding finding, BaselinePath before) =>
        Describe(finding).Against.Any(vote => before.Against.GetValueOrDefault(vote.Key) != vote.Value);

    private static IReadOnlyList<string> Names(IEnumerable<Finding> findings) => [.. findings.Select(finding => finding.Path.Absolute)];
}

/// <summary>Indented, so that a baseline kept in a repository shows its changes line by line.</summary>
[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Web, WriteIndented = true, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(DoctorBaseline))]
internal sealed partial class BaselineJson : JsonSerializerContext;
