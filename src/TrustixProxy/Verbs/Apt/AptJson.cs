using System.Text.Json;
using System.Text.Json.Serialization;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Apt;

/// <summary>What <c>apt explain --json</c> prints.</summary>
internal sealed record ExplainedPackage(string File, string Sha256, string Outcome, string Sentence, IEnumerable<PackageAnswer> Answers);

/// <summary>A rebuilder's answer in it.</summary>
internal sealed record PackageAnswer(string Rebuilder, string Operator, string Says);

/// <summary>What <c>apt verify --json</c> prints of a bundle that holds.</summary>
internal sealed record VerifiedPackage(
    bool Verified, string File, string Sha256, string Outcome, DateTimeOffset DecidedAt, string Sentence);

/// <summary>What <c>apt doctor --json</c> prints, one for each finding.</summary>
internal sealed record FoundInGate(string Kind, string About, string Text);

/// <summary>What <c>apt releases --json</c> prints, one for each Release file.</summary>
/// <param name="InOtherLog">Whether the log that was asked holds it; null where none was asked.</param>
internal sealed record ListedRelease(
    string Archive, string Suite, string Sha256, DateTimeOffset SeenAt, bool Submitted, bool? InOtherLog);

/// <summary>A Release file as it is in a log.</summary>
internal sealed record LoggedRelease(string Archive, string Suite, string Sha256);

/// <summary>What the verbs of <c>apt</c> print for other programs, and write.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(AptSetupJson))]
[JsonSerializable(typeof(ExplainedPackage))]
[JsonSerializable(typeof(FoundInGate[]))]
[JsonSerializable(typeof(ListedRelease[]))]
[JsonSerializable(typeof(LoggedRelease))]
[JsonSerializable(typeof(NotVerified))]
[JsonSerializable(typeof(VerifiedPackage))]
internal sealed partial class AptJson : JsonSerializerContext
{
    /// <summary>The form that all verbs print: indented, and with every character that JSON allows.</summary>
    public static AptJson Indented { get; } = new(new JsonSerializerOptions(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    });
}
