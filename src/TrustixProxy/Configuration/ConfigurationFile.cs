using System.Text.Json;
using Microsoft.Extensions.Configuration;

namespace TrustixProxy.Configuration;

/// <summary>Where a configuration comes from: one JSON file, if one is named, and over it the environment's
/// <c>TRUSTIXPROXY__…</c>.</summary>
internal static class ConfigurationFile
{
    private const int MaxSize = 16 << 20;

    /// <summary>What only a configuration of <c>serve</c> has.</summary>
    private static readonly string[] ProxysOwn = ["policy", "upstreams", "caches"];

    private static readonly JsonDocumentOptions Strict =
        new() { AllowDuplicateProperties = false, AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip };

    /// <summary>Reads it all, and has <paramref name="read"/> make options of it.</summary>
    /// <returns>The options, or the faults, all at once.</returns>
    public static (T? Options, IReadOnlyList<Fault> Faults) Read<T>(string? path, Func<Section, T?> read)
        where T : class
    {
        var faults = new List<Fault>();
        var values = Load(path, faults);
        if (values is null)
        {
            return (null, faults);
        }

        var section = new Section(values, faults);
        var options = read(section);
        section.RefuseUnknown();
        return faults.Count is 0 ? (options, faults) : (null, faults);
    }

    /// <summary>Whether a configuration is a log node's: it has what only a log node has.</summary>
    public static bool IsOfLogNode(string? path) =>
        Load(path, []) is { } values
        && (values.GetSection("privateListen").Exists()
            || values.GetSection("logs").GetChildren().Any(log => log["privateKeyFile"] is not null));

    /// <summary>Whether a configuration is a rebuilder's: it has what only a rebuilder has.</summary>
    public static bool IsOfRebuilder(string? path) => Load(path, []) is { } values && values.GetSection("rebuilder").Exists();

    /// <summary>Whether a configuration is a gate's for Debian packages: it has what only such a gate has.</summary>
    public static bool IsOfAptGate(string? path) => Load(path, []) is { } values && values.GetSection("archives").Exists();

    /// <summary>The store that a rebuilder's configuration names; the default where it names none, null when it is none of a
    /// rebuilder.</summary>
    public static string? StoreOfRebuilder(string path) => !IsOfRebuilder(path) ? null
        : Load(path, [])?.GetSection("rebuilder")["store"] ?? CommonKeys.DefaultStateDirectory("trustix-rebuilder");

    /// <summary>Whether a configuration is a publisher's: it has what only a publisher has.</summary>
    public static bool IsOfPublisher(string? path) =>
        Load(path, []) is { } values && !values.GetSection("archives").Exists()
        && (values.GetSection("log").Exists() || values.GetSection("spoolDirectory").Exists());

    /// <summary>Says which verb a configuration is for, if that is another one.</summary>
    /// <param name="verb">The verb that was given it: <c>serve</c>, <c>log serve</c> or <c>publish</c>.</param>
    public static IReadOnlyList<Fault> OfOtherVerb(string? path, string verb)
    {
        var other = IsOfLogNode(path) ? "log serve" : IsOfPublisher(path) ? "publish" : IsOfRebuilder(path) ? "rebuild"
            : IsOfAptGate(path) ? "apt serve"
            : Load(path, []) is { } values && ProxysOwn.Any(key => values.GetSection(key).Exists()) ? "serve" : null;
        return path is null || other is null || other == verb ? []
            : [new Fault("--config", $"is '{path}', a configuration of {other}: run trustix-proxy {other} --config {ShellWord.Of(path)}")];
    }

    /// <summary>The file itself, and all that it names: what stands under a key that ends in <c>File</c> or <c>Files</c>.</summary>
    public static IReadOnlyList<string> FilesOf(string? path)
    {
        string[] own = path is null ? [] : [path];
        return Load(path, []) is not { } values ? own : [.. own, .. values.AsEnumerable()
            .Where(entry => entry.Value is { Length: > 0 } && NamesFile(entry.Key))
            .Select(entry => Path.GetFullPath(entry.Value!)).Distinct().Order(StringComparer.Ordinal)];
    }

    /// <summary>What it names from the folder on in which the program starts, by key.</summary>
    public static IReadOnlyList<(string Key, string Path)> RelativeFilesOf(string path) => Load(path, []) is not { } values ? []
        : [.. values.AsEnumerable()
            .Where(entry => entry.Value is { Length: > 0 } && NamesFile(entry.Key) && !Path.IsPathRooted(entry.Value))
            .Select(entry => (entry.Key, entry.Value!)).OrderBy(entry => entry.Key, StringComparer.Ordinal)];

    private static bool NamesFile(string key) => key.Split(':').LastOrDefault(part => !part.All(char.IsAsciiDigit)) is { } name
        && (name.EndsWith("File", StringComparison.OrdinalIgnoreCase) || name.EndsWith("Files", StringComparison.OrdinalIgnoreCase)
            || name.Equals("witnesses", StringComparison.OrdinalIgnoreCase));

    private static IConfiguration? Load(string? path, List<Fault> faults)
    {
        try
        {
            var builder = new ConfigurationBuilder();
            if (path is not null)
            {
                var text = Text(Read(path));
                using var strict = JsonDocument.Parse(text, Strict); // the builder would pass over a key that is named twice
                faults.AddRange(Keys(strict.RootElement).Where(key => key.Contains(':', StringComparison.Ordinal))
                    .Select(key => new Fault(key, "is a key with a colon; write nested objects instead.")));
                builder.AddJsonStream(new MemoryStream(text.ToArray()));
            }

            return builder.AddEnvironmentVariables("TRUSTIXPROXY__").Build();
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            faults.Add(new Fault("--config", $"is '{path}', where there is no file. Name the right one; trustix-proxy init writes one."));
        }
        catch (JsonException exception) when (exception.LineNumber is { } line)
        {
            var what = exception.Message.Split(" LineNumber:")[0].TrimEnd('.');
            faults.Add(new Fault("--config", $"is '{path}', which cannot be read: line {line + 1}, column "
                + $"{exception.BytePositionInLine + 1}: {what}. Look there, and at the end of the line before: "
                + "often a comma, a quote or a bracket is missing."));
        }
        catch (Exception exception) when (exception is JsonException or InvalidDataException or FormatException
            or InvalidOperationException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            faults.Add(
                new Fault("--config", $"is '{path}', which cannot be read: {exception.InnerException?.Message ?? exception.Message}"));
        }

        return null;
    }

    /// <summary>All of the file: at most 16 MiB, as a device has no end.</summary>
    private static byte[] Read(string path)
    {
        if (Directory.Exists(path))
        {
            throw new InvalidDataException("it is a folder. Give the JSON file in it.");
        }

        using var file = File.OpenRead(path);
        using var content = new MemoryStream();
        var buffer = new byte[64 << 10];
        while (file.Read(buffer) is var read and > 0)
        {
            content.Write(buffer, 0, read);
            if (content.Length > MaxSize)
            {
                throw new InvalidDataException("it has more than 16 MiB.");
            }
        }

        return content.Length > 0 ? content.ToArray()
            : throw new InvalidDataException("it is empty. A configuration is a JSON object; {} means all defaults.");
    }

    /// <summary>The text without the mark that some editors put before it.</summary>
    private static ReadOnlyMemory<byte> Text(byte[] file) => file.AsMemory(file is [0xef, 0xbb, 0xbf, ..] ? 3 : 0);

    private static IEnumerable<string> Keys(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().SelectMany(member => Keys(member.Value).Prepend(member.Name)),
        JsonValueKind.Array => element.EnumerateArray().SelectMany(Keys),
        _ => [],
    };
}
