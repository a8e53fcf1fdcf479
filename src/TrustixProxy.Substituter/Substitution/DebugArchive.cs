using System.Text.Json.Serialization;

namespace TrustixProxy.Substituter.Substitution;

/// <summary>The JSON of a build ID.</summary>
/// <param name="Archive">Address of a NAR, relative to the build ID's.</param>
/// <param name="Member">A file in it.</param>
internal sealed record DebugArchive(string? Archive, string? Member);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, AllowDuplicateProperties = false, MaxDepth = 8)]
[JsonSerializable(typeof(DebugArchive))]
internal sealed partial class DebugArchiveJson : JsonSerializerContext;
