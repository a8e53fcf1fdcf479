using System.Text.Json;

namespace TrustixProxy.LogNode.Tests;

/// <summary>Golden data of <c>tests/Vectors/trustix</c>: recorded from a running reference daemon; each file's <c>about</c> explains its fields.</summary>
internal static class Vectors
{
    public static JsonElement Load(string file) => JsonDocument.Parse(File.ReadAllText($"Vectors/trustix/{file}.json")).RootElement;

    public static IEnumerable<JsonElement> All(this JsonElement element, string member) => element.GetProperty(member).EnumerateArray();

    public static string Text(this JsonElement element, string member) => element.GetProperty(member).GetString()!;

    public static long Number(this JsonElement element, string member) => element.GetProperty(member).GetInt64();

    public static byte[] Hex(this JsonElement element, string member) => Convert.FromHexString(element.Text(member));
}
