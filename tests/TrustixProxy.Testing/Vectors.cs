using System.Text.Json;
using TrustixProxy.TransparencyLog;
using Wire = TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Testing;

/// <summary>Golden data of <c>tests/Vectors/trustix</c>: recorded from a running reference daemon; each file's <c>about</c> explains its
/// fields.</summary>
public static class Vectors
{
    public static JsonElement Load(string file) => JsonDocument.Parse(File.ReadAllText($"Vectors/trustix/{file}.json")).RootElement;

    public static IEnumerable<JsonElement> All(this JsonElement element, string member) => element.GetProperty(member).EnumerateArray();

    public static string Text(this JsonElement element, string member) => element.GetProperty(member).GetString()!;

    public static long Number(this JsonElement element, string member) => element.GetProperty(member).GetInt64();

    public static byte[] Hex(this JsonElement element, string member) => Convert.FromHexString(element.Text(member));

    public static Digest Digest(this JsonElement element, string member) => new(element.Hex(member));

    /// <summary>The nodes of a proof, or null when one is not 32 bytes (which no caller can even pass on).</summary>
    public static Digest[]? Nodes(this JsonElement element, string member)
    {
        var message = new Wire.ProofResponse();
        message.Proof.AddRange(
            element.All(member).Select(node => Google.Protobuf.ByteString.CopyFrom(Convert.FromHexString(node.GetString()!))));
        return WireMessage.TryReadNodes(message, out var nodes) ? nodes : null;
    }

    public static bool? Valid(this JsonElement element) =>
        element.GetProperty("valid") is { ValueKind: not JsonValueKind.Null } valid ? valid.GetBoolean() : null;

    public static string Note(this JsonElement element) => element.TryGetProperty("note", out var note) ? note.GetString()! : "as recorded";
}
