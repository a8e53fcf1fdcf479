using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace TrustixProxy.Operations;

/// <summary>What a process that runs on says for itself, before its host's messages and beside them: a line each on standard error, in the form that those have.</summary>
internal static class Notice
{
    private static readonly JsonSerializerOptions OneLine = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Whether messages are for programs: <c>TRUSTIXPROXY_LOG_FORMAT=json</c>.</summary>
    public static bool IsJson => Environment.GetEnvironmentVariable("TRUSTIXPROXY_LOG_FORMAT") is "json";

    /// <summary>Whether systemd's journal reads them.</summary>
    public static bool IsJournal => !IsJson && Environment.GetEnvironmentVariable("JOURNAL_STREAM") is not null;

    public static void Say(string text) => Write(LogLevel.Information, text, text);

    public static void Warn(string text) => Write(LogLevel.Warning, text, $"{(IsJournal ? "<4>" : "")}warning: {text}");

    /// <summary>Tells of what ends the process.</summary>
    public static void Fail(string text) => Write(LogLevel.Error, text, $"{(IsJournal ? "<3>" : "")}{text}");

    private static void Write(LogLevel level, string text, string line) => Console.Error.WriteLine(IsJson
        ? JsonSerializer.Serialize(new { Timestamp = TimeProvider.System.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ss.fffZ", null), EventId = 0, LogLevel = level.ToString(), Category = "TrustixProxy", Message = text }, OneLine)
        : line);
}
