using System.Buffers;
using System.Text.Json;
using TrustixProxy.Native;

namespace TrustixProxy.Apt;

/// <summary>Why a link is no vote for a file.</summary>
public enum LinkError
{
    /// <summary>The link is a vote.</summary>
    None,

    /// <summary>Longer than <see cref="RebuildLink.MaxSize"/>.</summary>
    TooLarge,

    /// <summary>Not JSON with <c>signed</c> and <c>signatures</c>; or a duplicate member, or more than 16 levels or signatures.</summary>
    Json,

    /// <summary>What is signed has no canonical form: see <see cref="OlpcJson"/>.</summary>
    Form,

    /// <summary>No signature by the key.</summary>
    Signature,

    /// <summary>What is signed is not a link.</summary>
    Type,

    /// <summary>The link has no such product: it is of another file.</summary>
    OtherFile,

    /// <summary>The product has no SHA-256.</summary>
    Digest,
}

/// <summary>Verifies in-toto links of rebuilders: the only way from a signature to a vote for a package.</summary>
/// <remarks>
/// <code>
/// { "signatures": [ { "keyid": "64 hex digits", "sig": "128 hex digits" }, … ],
///   "signed": { "_type": "link", "name": "rebuild FILE", "materials": { … }, "products": { "FILE": { "sha256": "64 hex digits" } }, … } }
/// </code>
/// A worker's key and the instance's sign the canonical form of <c>signed</c>. Names of keys are not signed, so they are not read.
/// Source: in-toto specification 0.9, sections 4.2 and 4.4; rebuilderd 0.28.</remarks>
public static class RebuildLink
{
    /// <summary>Longest link, in bytes; real ones have about a thousand.</summary>
    public const int MaxSize = 1 << 20;

    private const int MaxDepth = 16, MaxSignatures = 16;

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = MaxDepth };

    /// <summary>Verifies a link, and reads what it claims of a file.</summary>
    /// <param name="json">The link.</param>
    /// <param name="key">The key that must have signed it.</param>
    /// <param name="fileName">The file's name.</param>
    /// <param name="claim">The claim.</param>
    /// <param name="error">Why there is none.</param>
    public static bool TryVerify(
        ReadOnlyMemory<byte> json, RebuilderKey key, string fileName, [NotNullWhen(true)] out DebClaim? claim, out LinkError error)
    {
        (claim, error) = (null, LinkError.TooLarge);
        if (json.Length > MaxSize)
        {
            return false;
        }

        try
        {
            using var document = JsonDocument.Parse(json, Strict);
            error = Read(document.RootElement, key, fileName, out claim);
        }
        catch (JsonException)
        {
            error = LinkError.Json;
        }
        catch (InvalidOperationException)
        {
            error = LinkError.Json; // a string that is not Unicode
        }

        return claim is not null;
    }

    private static LinkError Read(JsonElement root, RebuilderKey key, string fileName, out DebClaim? claim)
    {
        claim = null;
        if (Member(root, "signed", JsonValueKind.Object) is not { } signed
            || Member(root, "signatures", JsonValueKind.Array) is not { } signatures || signatures.GetArrayLength() > MaxSignatures)
        {
            return LinkError.Json;
        }

        var text = new ArrayBufferWriter<byte>();
        if (!OlpcJson.TryWrite(signed, text))
        {
            return LinkError.Form;
        }

        if (!signatures.EnumerateArray().Any(signature => IsBy(key, signature, text.WrittenSpan)))
        {
            return LinkError.Signature;
        }

        if (Text(signed, "_type") is not "link")
        {
            return LinkError.Type;
        }

        if (Member(signed, "products", JsonValueKind.Object) is not { } products
            || Member(products, fileName, JsonValueKind.Object) is not { } product)
        {
            return LinkError.OtherFile;
        }

        if (!Hex.TryReadDigest(Text(product, "sha256"), out var sha256))
        {
            return LinkError.Digest;
        }

        claim = new DebClaim(fileName, sha256);
        return LinkError.None;
    }

    private static bool IsBy(RebuilderKey key, JsonElement signature, ReadOnlySpan<byte> text)
    {
        Span<byte> bytes = stackalloc byte[Ed25519PublicKey.SignatureSize];
        return Hex.TryRead(Text(signature, "sig"), bytes) && key.Verify(text, bytes);
    }

    private static JsonElement? Member(JsonElement value, string name, JsonValueKind kind) =>
        value.ValueKind is JsonValueKind.Object && value.TryGetProperty(name, out var member) && member.ValueKind == kind ? member : null;

    private static string? Text(JsonElement value, string name) => Member(value, name, JsonValueKind.String)?.GetString();
}
