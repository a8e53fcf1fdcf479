using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using TrustixProxy.Nix;

namespace TrustixProxy.LogNode.Api;

/// <summary>The token in a write call's header, in one of two forms. Private tokens have the form of Nix secret keys.</summary>
/// <param name="Name">The token's name.</param>
/// <param name="Signature">The token's signature over <see cref="SignedText"/>.</param>
/// <param name="Time">Time of creation, in seconds since 1970; null in the reference's form.</param>
/// <param name="Nonce">16 random bytes; null in the reference's form.</param>
/// <param name="Body">SHA-256 of the call's uncompressed message; null in the reference's form.</param>
/// <remarks>
/// The reference's form, <c>Trustix-Token: {"name":"peer","sig":"base64"}</c>, signs only <c>name:/package.Service/Method</c>: an
/// eavesdropper can replay it with any body, for ever.
/// Our form, <c>{"name":"peer","sig":"base64","time":1700000000,"nonce":"base64","body":"base64"}</c>, signs six lines:
/// <c>trustix-proxy token v1</c>, name, call, time, nonce and body. Each but the last ends with a line feed.
/// </remarks>
public sealed record WriteToken(
    string Name,
    [property: JsonPropertyName("sig")] byte[] Signature,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? Time = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] byte[]? Nonce = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] byte[]? Body = null)
{
    /// <summary>The header's name.</summary>
    public const string Header = "Trustix-Token";

    /// <summary>Whether it has the form that can be replayed.</summary>
    [JsonIgnore]
    public bool IsReference => Nonce is null;

    /// <summary>Creates a token of our form.</summary>
    /// <param name="procedure"><c>/package.Service/Method</c>.</param>
    /// <param name="body">The call's message.</param>
    public static WriteToken Make(NixSecretKey key, string procedure, ReadOnlySpan<byte> body, DateTimeOffset now)
    {
        var token = new WriteToken(
            key.PublicKey.Name, [], now.ToUnixTimeSeconds(), RandomNumberGenerator.GetBytes(16), SHA256.HashData(body));
        return token with { Signature = key.Sign(token.SignedText(procedure)) };
    }

    /// <summary>Creates a token of the reference's form.</summary>
    public static WriteToken MakeReference(NixSecretKey key, string procedure)
    {
        var token = new WriteToken(key.PublicKey.Name, []);
        return token with { Signature = key.Sign(token.SignedText(procedure)) };
    }

    /// <summary>Parses a header's value.</summary>
    public static bool TryParse(string header, [NotNullWhen(true)] out WriteToken? token)
    {
        try
        {
            token = JsonSerializer.Deserialize(header, WriteTokenJson.Default.WriteToken);
            return token is { Name: not null, Signature: not null }
                && (token.IsReference || token is { Time: not null, Nonce.Length: 16, Body: not null });
        }
        catch (JsonException)
        {
            token = null;
            return false;
        }
    }

    /// <summary>Whether <paramref name="key"/> signed this token for a call.</summary>
    public bool IsBy(NixPublicKey key, string procedure) => key.Name == Name && key.Verify(SignedText(procedure), Signature);

    /// <summary>Returns the header's value.</summary>
    public override string ToString() => JsonSerializer.Serialize(this, WriteTokenJson.Default.WriteToken);

    private byte[] SignedText(string procedure) => Encoding.UTF8.GetBytes(IsReference
        ? $"{Name}:{procedure}"
        : $"trustix-proxy token v1\n{Name}\n{procedure}\n{Time}\n{Convert.ToBase64String(Nonce!)}\n{Convert.ToBase64String(Body!)}");
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(WriteToken))]
internal sealed partial class WriteTokenJson : JsonSerializerContext;
