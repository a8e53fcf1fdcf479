using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Logging;

namespace TrustixProxy.Terminal;

/// <summary>What a process that runs on says for itself, before its host's messages and beside them: a line each on standard error, in the
/// form that those have.</summary>
internal static class StartupMessage
{
    private static readonly NoticeJson OneLine = new(new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    /// <summary>Whether messages are for programs: <c>TRUSTIXPROXY_LOG_FORMAT=json</c>.</summary>
    public static bool IsJson => Environment.GetEnvironmentVariable("TRUSTIXPROXY_LOG_FORMAT") is "json";

    /// <summary>Whether systemd's journal reads them.</summary>
    public static bool IsJournal => !IsJson && Environment.GetEnvironmentVariable("JOURNAL_STREAM") is not null;

    public static void Say(string text) => Write(LogLevel.Information, text, text);

    public static void Warn(string text) => Write(LogLevel.Warning, text, $"{(IsJournal ? "<4>" : "")}warning: {text}");

    /// <summary>Tells of what ends the process.</summary>
    public static void Fail(string text) => Write(LogLevel.Error, text, $"{(IsJournal ? "<3>" : "")}{text}");

    private static void Write(LogLevel level, string text, string line) => Console.Error.WriteLine(IsJson
        ? JsonSerializer.Serialize(new Noticed(TimeProvider.System.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ss.fffZ", null), 0,
            level.ToString(), "TrustixProxy", text), OneLine.Noticed)
        : line);
}

/// <summary>A message, with the members that the host's own messages have.</summary>
internal sealed record Noticed(string Timestamp, int EventId, string LogLevel, string Category, string Message);

[JsonSerializable(typeof(Noticed))]
internal sealed partial class NoticeJson : JsonSerializerContext;
