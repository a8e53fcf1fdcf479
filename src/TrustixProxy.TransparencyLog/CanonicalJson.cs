using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace TrustixProxy.TransparencyLog;

/// <summary>Strict JSON with one spelling per value, so that a hash of it names the value.</summary>
public static class CanonicalJson
{
    /// <summary>Creates options that refuse missing, unknown, duplicate and mistyped members.</summary>
    /// <param name="maxDepth">Maximum nesting.</param>
    public static JsonSerializerOptions Options(int maxDepth) => new(JsonSerializerDefaults.Web)
    {
        AllowDuplicateProperties = false,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        MaxDepth = maxDepth,
        NumberHandling = JsonNumberHandling.Strict,
        PropertyNameCaseInsensitive = false,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    /// <summary>Reads untrusted bytes; null unless they spell a value as <see cref="Write"/> does, apart from white space.</summary>
    /// <param name="json">The bytes.</param>
    /// <param name="form">The form of the value; its context also knows <see cref="JsonElement"/>.</param>
    public static T? Read<T>(ReadOnlySpan<byte> json, JsonTypeInfo<T> form)
        where T : class
    {
        var anyForm = (JsonTypeInfo<JsonElement>)form.Options.GetTypeInfo(typeof(JsonElement));
        try
        {
            var text = JsonSerializer.Deserialize(json, anyForm);
            var value = text.Deserialize(form);
            return JsonSerializer.SerializeToUtf8Bytes(text, anyForm).AsSpan().SequenceEqual(Write(value!, form)) ? value : null;
        }
        catch (JsonException)
        {
            return null; // untrusted bytes
        }
    }

    /// <summary>Reads what untrusted bytes call themselves: the text of the member <c>kind</c> of a JSON object; null where there is none,
    /// and for text that is not Unicode.</summary>
    public static string? KindOf(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return document.RootElement.ValueKind is JsonValueKind.Object
                && document.RootElement.TryGetProperty("kind", out var kind) && kind.ValueKind is JsonValueKind.String
                    ? kind.GetString() : null;
        }
        catch (JsonException)
        {
            return null;
        }
        catch (InvalidOperationException)
        {
            return null; // half a surrogate pair
        }
    }

    /// <summary>Encodes a value without white space.</summary>
    public static byte[] Write<T>(T value, JsonTypeInfo<T> form) => JsonSerializer.SerializeToUtf8Bytes(value, form);
}
