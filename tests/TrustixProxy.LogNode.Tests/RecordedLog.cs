using System.Text.Json;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.LogNode.Tests;

/// <summary>Our node, made to hold the log that the vectors were recorded from: the same key, the same entries, the same heads.</summary>
internal static class RecordedLog
{
    public static readonly IReadOnlyList<(byte[] Key, byte[] Value)> Entries = [
        .. Vectors.Load("audit").All("leaves").Select(leaf => (leaf.Hex("key"), leaf.Hex("value")))];

    public static readonly IReadOnlyList<JsonElement> Heads = [.. Vectors.Load("sth").All("heads")];

    /// <summary>The node, empty.</summary>
    public static TestLogNode Node()
    {
        var tokens = Vectors.Load("tokens");
        var token = NixSecretKey.TryParse(tokens.Text("private_token"), out var key, out _) ? key : throw new InvalidOperationException();
        return new TestLogNode(null, new LogSigner(Vectors.Load("sth").Hex("seed")), token);
    }

    /// <summary>The node after all ten recorded heads.</summary>
    public static async Task<TestLogNode> FullAsync()
    {
        var node = await Node().StartAsync();
        foreach (var (from, to) in Steps())
        {
            await node.SubmitAsync([.. Entries.Skip(from).Take(to - from)]);
        }

        return node;
    }

    /// <summary>From which to which size each head went.</summary>
    public static IEnumerable<(int From, int To)> Steps() =>
        Heads.Zip(Heads.Skip(1), (before, after) => ((int)before.Number("tree_size"), (int)after.Number("tree_size")));
}
