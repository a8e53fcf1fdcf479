using System.Collections.Immutable;
using System.Text;
using System.Text.Json;

namespace TrustixProxy.Nix;

/// <summary>A cache's word on where an output was built to (in Nix up to 2.34: a realisation): what it says, and who signed it.</summary>
/// <remarks>
/// <code>
/// of a hash:       {"dependentRealisations":{"sha256:HEX!OUTPUT":"DIGEST-NAME",…},"id":"sha256:HEX!OUTPUT","outPath":"DIGEST-NAME",
///                   "signatures":["name:base64"]}
/// of a derivation: {"outPath":"DIGEST-NAME","signatures":[{"keyName":"name","sig":"base64"}]}     a signature may also be one text
/// </code>
/// The signed text is the JSON without blanks and <c>signatures</c>, members in byte order; of a derivation
/// <c>{"key":{"drvPath","outputName"},"value":{"outPath"}}</c>. No value in it needs an escape.
/// Source: nix <c>realisation.cc</c>, <c>Realisation::fingerprint</c> and <c>UnkeyedRealisation::fingerprint</c>.</remarks>
public sealed record BuildTrace
{
    /// <summary>Maximum size of the JSON in bytes.</summary>
    public const int MaxSize = 256 << 10;

    private BuildTrace(TraceKey key, StorePath outPath, string dependent) =>
        (Key, OutPath, Fingerprint) = (key, outPath, FingerprintOf(key, outPath, dependent));

    /// <summary>What was asked for.</summary>
    public TraceKey Key { get; }

    /// <summary>Where the output is.</summary>
    public StorePath OutPath { get; }

    /// <summary>The text that is signed.</summary>
    public string Fingerprint { get; }

    /// <summary>The signatures that are well formed.</summary>
    public ImmutableArray<NixSignature> Signatures { get; private init; } = [];

    /// <summary>Reads what a cache gave for a key; a member named twice, and a trace of another key, is none.</summary>
    public static bool TryParse(TraceKey asked, ReadOnlyMemory<byte> json, [NotNullWhen(true)] out BuildTrace? trace)
    {
        trace = null;
        if (json.Length > MaxSize)
        {
            return false;
        }

        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 8, AllowDuplicateProperties = false });
            trace = document.RootElement is { ValueKind: JsonValueKind.Object } root ? Read(asked, root) : null;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // not JSON, or a string with half a surrogate pair
        }

        return trace is not null;
    }

    /// <summary>Writes the trace of an output, signed by a key and by no other. It names no other outputs: a client asks for
    /// each.</summary>
    public static string Write(TraceKey key, StorePath outPath, NixSecretKey signer)
    {
        var signature = signer.Sign(FingerprintOf(key, outPath));
        var (text, name) = (Convert.ToBase64String(signature.Bytes), JsonEncodedText.Encode(signature.KeyName));
        return key is TraceKey.OfHash
            ? $$"""{"dependentRealisations":{},"id":"{{key.Text}}","outPath":"{{outPath}}","signatures":["{{name}}:{{text}}"]}"""
            : $$"""{"outPath":"{{outPath}}","signatures":[{"keyName":"{{name}}","sig":"{{text}}"}]}""";
    }

    /// <summary>Returns the text that is signed.</summary>
    /// <param name="key">The output.</param>
    /// <param name="outPath">Where it is.</param>
    /// <param name="dependent">Members of <c>dependentRealisations</c>, as they are signed.</param>
    public static string FingerprintOf(TraceKey key, StorePath outPath, string dependent = "") =>
        key is TraceKey.OfDerivation { Derivation: var of }
        ? $$$"""{"key":{"drvPath":"{{{of}}}","outputName":"{{{key.Output}}}"},"value":{"outPath":"{{{outPath}}}"}}"""
        : $$$"""{"dependentRealisations":{{{{dependent}}}},"id":"{{{key.Text}}}","outPath":"{{{outPath}}}"}""";

    private static BuildTrace? Read(TraceKey asked, JsonElement root)
    {
        if (!StorePath.TryParse(Text(root, "outPath"), out var outPath, out _) || !asked.MayBeAt(outPath)
            || !root.TryGetProperty("signatures", out var signatures) || signatures.ValueKind is not JsonValueKind.Array)
        {
            return null;
        }

        var dependent = "";
        return asked is TraceKey.OfHash && (Text(root, "id") != asked.Text || !TryReadDependent(root, out dependent)) ? null
            : new BuildTrace(asked, outPath, dependent)
            {
                Signatures = [.. signatures.EnumerateArray().Select(ReadSignature).OfType<NixSignature>()],
            };
    }

    /// <summary>Reads the outputs that this one was built from, as they are signed: in byte order.</summary>
    private static bool TryReadDependent(JsonElement root, out string dependent)
    {
        var members = new SortedDictionary<string, string>(StringComparer.Ordinal);
        dependent = "";
        if (!root.TryGetProperty("dependentRealisations", out var element))
        {
            return true;
        }

        foreach (var member in element.ValueKind is JsonValueKind.Object ? [.. element.EnumerateObject()] : Array.Empty<JsonProperty>())
        {
            var at = member.Value.ValueKind is JsonValueKind.String ? member.Value.GetString() : null;
            if (!TraceKey.TryParseHash(member.Name, out var key) || !StorePath.TryParse(at, out var path, out _))
            {
                return false;
            }

            members.Add(key.Text, $"{path}");
        }

        dependent = string.Join(',', members.Select(member => $"\"{member.Key}\":\"{member.Value}\""));
        return element.ValueKind is JsonValueKind.Object;
    }

    private static NixSignature? ReadSignature(JsonElement element)
    {
        var text = element.ValueKind switch
        {
            JsonValueKind.String => element.GetString(),
            JsonValueKind.Object => $"{Text(element, "keyName")}:{Text(element, "sig")}",
            _ => null,
        };
        return NixSignature.TryParse(text, out var signature) ? signature : null;
    }

    private static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String ? value.GetString() : null;
}
