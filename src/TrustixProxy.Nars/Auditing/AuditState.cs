using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Auditing;

/// <summary>A path that was right, with its references.</summary>
/// <param name="NarHash">The hash its NAR had.</param>
internal sealed record CheckedPath(string Path, string NarHash, IReadOnlyList<string> References);

/// <summary>The content of a state file.</summary>
/// <param name="Audit">What was demanded: the results of other demands say nothing about these.</param>
internal sealed record AuditStateFile(int Version, string Audit, IReadOnlyList<CheckedPath?> Right);

/// <summary>Remembers which paths an audit found right, so that the next run skips them. The file is always whole: each write replaces
/// it.</summary>
/// <remarks>Paths that were not right are checked again.</remarks>
public sealed class AuditState
{
    private const int Version = 1;

    /// <summary>Minimum time between two writes; more while a write takes long.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly string _file, _audit;
    private readonly Nix.Store _store;
    private readonly Dictionary<StorePath, CheckedPath> _right = [];
    private readonly Lock _turn = new();
    private long _nextWrite;
    private bool _isChanged;

    private AuditState(string file, AuditDemands demands) => (_file, _audit, _store) = (file, TextOf(demands), demands.Store);

    /// <summary>Reads a state file, or begins one.</summary>
    /// <exception cref="FormatException">The file is of another audit, or no state of one.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static AuditState Open(string file, AuditDemands demands)
    {
        var state = new AuditState(file, demands);
        if (File.Exists(file))
        {
            state.Read();
        }

        return state;
    }

    /// <summary>Writes what was not written yet.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save()
    {
        lock (_turn)
        {
            if (_isChanged)
            {
                Write();
            }
        }
    }

    /// <summary>Returns the references of a path that was right; null when it is to be checked.</summary>
    internal IReadOnlyList<StorePath>? Find(StorePath path)
    {
        lock (_turn)
        {
            return _right.TryGetValue(path, out var known) ? [.. known.References.Select(Parse)] : null;
        }
    }

    /// <summary>Adds a path that was right, and writes the file if it was not written lately.</summary>
    internal void Add(NarInfo narInfo)
    {
        lock (_turn)
        {
            _right[narInfo.StorePath] = new CheckedPath(narInfo.StorePath.ToString(), narInfo.NarHash.ToString(),
                [.. narInfo.References.Select(reference => reference.ToString())]);
            _isChanged = true;
            if (Stopwatch.GetTimestamp() >= _nextWrite)
            {
                Write();
            }
        }
    }

    private void Read()
    {
        AuditStateFile? read;
        try
        {
            using var stream = File.OpenRead(_file);
            read = JsonSerializer.Deserialize(stream, AuditStateJson.Default.AuditStateFile);
        }
        catch (JsonException exception)
        {
            throw Fault($"is not the state of an audit: {exception.Message}");
        }

        if (read is not { Version: Version } || read.Audit != _audit)
        {
            throw Fault(read is { Version: Version } ? $"is of another audit ({read.Audit}; this one: {_audit})"
                : $"is of version {read?.Version}, which this program does not read");
        }

        foreach (var path in read.Right)
        {
            _ = path ?? throw Fault("has an empty entry");
            path.References.ToList().ForEach(reference => Parse(reference));
            _right[Parse(path.Path)] = path;
        }
    }

    private void Write()
    {
        var start = Stopwatch.GetTimestamp();
        WholeFile.Replace(_file, stream => JsonSerializer.Serialize(
            stream, new AuditStateFile(Version, _audit, [.. _right.Values]), AuditStateJson.Default.AuditStateFile));
        _isChanged = false;
        var took = Stopwatch.GetElapsedTime(start);
        _nextWrite = Stopwatch.GetTimestamp() + (long)(Math.Max(Pause.TotalSeconds, 20 * took.TotalSeconds) * Stopwatch.Frequency);
    }

    private StorePath Parse(string text) =>
        StorePath.TryParse(text, _store, out var path, out _) ? path : throw Fault($"has '{text}', which is not a store path");

    private FormatException Fault(string what) => new($"--state: '{_file}' {what}. Name another file, or delete this one.");

    private static string TextOf(AuditDemands demands)
    {
        var keys = demands.Keys.Select(key => $" {key}").Order(StringComparer.Ordinal);
        var references = demands.AreReferencesSought ? " references" : "";
        var store = demands.Store == Nix.Store.Nix ? "" : $" {demands.Store}";
        return $"{demands.Cache.Url.AbsoluteUri.TrimEnd('/')}{string.Concat(keys)}{references}{store}";
    }
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(AuditStateFile))]
internal sealed partial class AuditStateJson : JsonSerializerContext;
