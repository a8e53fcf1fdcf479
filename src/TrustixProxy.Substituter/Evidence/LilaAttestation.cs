using System.Collections.Immutable;
using System.Text.Json;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>One rebuilder's attestation of one output: untrusted until its signature fits.</summary>
/// <param name="NarHash">The attested SHA-256 of the NAR.</param>
/// <param name="Signature">The signature of the whole fingerprint, whose size and references the answer lacks.</param>
/// <remarks>Source: lila, <c>GET /attestations/by-output/DIGEST-NAME</c>: <c>[{"output_hash":"sha256:…","output_sig":"name:base64"}]</c>
/// with further members, which are not read.</remarks>
internal sealed record LilaAttestation(NixHash NarHash, NixSignature Signature)
{
    /// <summary>Parses a server's answer; null when it is no list of attestations. Attestations without a SHA-256 hash or a well-formed
    /// signature are skipped.</summary>
    public static ImmutableArray<LilaAttestation>? TryParseAll(ReadOnlyMemory<byte> answer)
    {
        try
        {
            using var document = JsonDocument.Parse(answer, new JsonDocumentOptions { MaxDepth = 16 });
            return document.RootElement.ValueKind is not JsonValueKind.Array ? null
                : [.. document.RootElement.EnumerateArray().Select(Read).OfType<LilaAttestation>()];
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Returns the narinfo that its signature must fit: its own hash, with a candidate's size and references.</summary>
    public NarInfo Complete(Candidate candidate) => new()
    {
        StorePath = candidate.Path,
        Url = "attested", // no NAR: the vote is the signature
        Compression = "none",
        NarHash = NarHash,
        NarSize = candidate.NarSize,
        References = candidate.References,
        Signatures = [Signature],
    };

    private static LilaAttestation? Read(JsonElement item) =>
        item.ValueKind is JsonValueKind.Object
            && Text(item, "output_hash") is { } hash && NixHash.TryParse(hash, out var narHash, out _)
            && narHash.Algorithm is NixHashAlgorithm.Sha256
            && Text(item, "output_sig") is { } text && NixSignature.TryParse(text, out var signature)
            ? new LilaAttestation(narHash, signature) : null;

    private static string? Text(JsonElement item, string name)
    {
        try
        {
            return item.TryGetProperty(name, out var member) && member.ValueKind is JsonValueKind.String ? member.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            return null; // half a surrogate pair
        }
    }
}
