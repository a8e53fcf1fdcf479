using System.Text.Json;

namespace TrustixProxy.Nix.Tests;

/// <summary>Golden data of <c>tests/Vectors/nix.json</c>.</summary>
internal static class Vectors
{
    private static readonly JsonElement Root = JsonDocument.Parse(File.ReadAllText("Vectors/nix.json")).RootElement;

    public static IEnumerable<JsonElement> All(string member) => Root.GetProperty(member).EnumerateArray();

    public static string Text(this JsonElement element, string member) => element.GetProperty(member).GetString()!;
}
