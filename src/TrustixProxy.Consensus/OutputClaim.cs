using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Consensus;

/// <summary>Why a log's bytes are not a claim about the path asked for.</summary>
public enum OutputClaimError
{
    /// <summary>The bytes are a valid claim.</summary>
    None,

    /// <summary>The bytes do not have the proven digest.</summary>
    Digest,

    /// <summary>Not one JSON object (UTF-8, at most 16 levels deep).</summary>
    Json,

    /// <summary>A duplicate member.</summary>
    DuplicateMember,

    /// <summary><c>path</c> is missing or not an absolute store path.</summary>
    Path,

    /// <summary><c>path</c> differs from the path asked for.</summary>
    OtherPath,

    /// <summary><c>narHash</c> is missing or not a SHA-256 hash in a form that Nix accepts.</summary>
    NarHash,

    /// <summary><c>narSize</c> is missing or not a positive integer.</summary>
    NarSize,

    /// <summary><c>references</c> is missing, or neither null nor a list of absolute paths in the store of the path.</summary>
    References,
}

/// <summary>What an elector says that a build produced: the fields that Nix signs, and nothing else.</summary>
/// <remarks>Equal claims have equal fingerprints: equality is the vote, and the voted text is the signed text, whatever JSON spelling it
/// was read from.
/// Source: nix <c>ValidPathInfo::fingerprint</c>, version 1; the JSON is what the reference's post-build hook writes:
/// <code>{"path":"/nix/store/…","narHash":"sha256-…","narSize":123,"references":["/nix/store/…"]}</code></remarks>
public sealed record OutputClaim
{
    internal OutputClaim(StorePath path, NarHash narHash, long narSize, IEnumerable<StorePath> references)
    {
        (Path, NarHash, NarSize) = (path, narHash.Value, narSize);
        References = [.. references.Distinct().Order()];
        Fingerprint = Nix.Fingerprint.Format(path, NarHash, narSize, References);
    }

    /// <summary>The path that was built.</summary>
    public StorePath Path { get; }

    /// <summary>SHA-256 of the uncompressed NAR.</summary>
    public NixHash NarHash { get; }

    /// <summary>Length of the uncompressed NAR in bytes; positive.</summary>
    public long NarSize { get; }

    /// <summary>The referenced paths in ordinal order, without repeats; may be empty.</summary>
    public ImmutableArray<StorePath> References { get; }

    /// <summary>The text that is voted on, and signed.</summary>
    public string Fingerprint { get; }

    /// <summary>Reads a log's value: the only way from proven bytes to a vote.</summary>
    /// <param name="proven">The entry the log has proven for the key of <paramref name="asked"/>.</param>
    /// <param name="value">The bytes the log gave for it; hashed before they are parsed.</param>
    /// <param name="asked">The path asked for.</param>
    /// <param name="claim">The claim.</param>
    /// <param name="error">Why there is none.</param>
    public static bool TryRead(
        ProvenDigest proven, ReadOnlyMemory<byte> value, StorePath asked, [NotNullWhen(true)] out OutputClaim? claim,
            out OutputClaimError error)
    {
        (claim, error) = (null, OutputClaimError.Digest);
        if (!proven.IsValue(value.Span))
        {
            return false;
        }

        return TryReadValue(value, asked, out claim, out error);
    }

    /// <summary>Reads a value that the caller has proven to be in the elector's log, under the key of the path.</summary>
    /// <param name="value">The value.</param>
    /// <param name="asked">The path asked for.</param>
    /// <param name="claim">The claim.</param>
    /// <param name="error">Why there is none.</param>
    internal static bool TryReadValue(
        ReadOnlyMemory<byte> value, StorePath asked, [NotNullWhen(true)] out OutputClaim? claim, out OutputClaimError error)
    {
        claim = null;
        try
        {
            using var document = JsonDocument.Parse(value, new JsonDocumentOptions { MaxDepth = 16 });
            error = Read(document.RootElement, asked, out claim);
        }
        catch (JsonException)
        {
            error = OutputClaimError.Json;
        }
        catch (InvalidOperationException)
        {
            error = OutputClaimError.Json; // a string with half a surrogate pair
        }

        return claim is not null;
    }

    /// <summary>Reads a signed cache's narinfo, of Nix or of GNU Guix: the only way from a signature to a vote.</summary>
    /// <param name="narInfo">The narinfo.</param>
    /// <param name="keys">The cache's keys, one of which must have signed it.</param>
    /// <param name="claim">The claim.</param>
    /// <param name="signature">The valid signature.</param>
    public static bool TryReadSigned(
        NarInfo narInfo, IEnumerable<CacheKey> keys, [NotNullWhen(true)] out OutputClaim? claim,
            [NotNullWhen(true)] out CacheSignature? signature)
    {
        signature = keys.Select(key => key.FindSignature(narInfo)).FirstOrDefault(found => found is not null);
        claim = signature is null ? null : Of(narInfo);
        return claim is not null && signature is not null;
    }

    /// <summary>Reads a narinfo whose content address determines its path: not a vote, but true of any content with that address.</summary>
    public static bool TryReadContentAddressed(NarInfo narInfo, [NotNullWhen(true)] out OutputClaim? claim)
    {
        var fits = narInfo.ContentAddress?.Matches(narInfo.StorePath, narInfo.References, narInfo.NarHash) ?? false;
        claim = fits ? Of(narInfo) : null;
        return claim is not null;
    }

    /// <summary>Reads a fingerprint, the entry of a proof file: exactly the text that <see cref="Fingerprint"/> returns.</summary>
    /// <param name="entry">The entry; the caller has proven that it is in the elector's log.</param>
    /// <param name="asked">The path asked for.</param>
    /// <param name="claim">The claim.</param>
    /// <param name="error">Why there is none.</param>
    public static bool TryReadFingerprint(
        ReadOnlySpan<byte> entry, StorePath asked, [NotNullWhen(true)] out OutputClaim? claim, out OutputClaimError error)
    {
        (claim, error) = (null, OutputClaimError.Path);
        var text = Encoding.Latin1.GetString(entry);
        if (text.Split(';') is not ["1", var of, var narHash, var size, var references]
            || !StorePath.TryParseAbsolute(of, out var path, out _))
        {
            return false;
        }

        var paths = new List<StorePath>();
        error = path != asked ? OutputClaimError.OtherPath
            : !Consensus.NarHash.TryParse(narHash, out var hash) ? OutputClaimError.NarHash
            : !long.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out var narSize) || narSize is 0
                ? OutputClaimError.NarSize
            : !TryReadPaths(references, path.Store, paths) ? OutputClaimError.References
            : (claim = new OutputClaim(path, hash, narSize, paths)).Fingerprint != text ? OutputClaimError.References
            : OutputClaimError.None;
        claim = error is OutputClaimError.None ? claim : null;
        return claim is not null;
    }

    private static bool TryReadPaths(string list, Store store, List<StorePath> paths)
    {
        foreach (var text in list.Length is 0 ? [] : list.Split(','))
        {
            if (!StorePath.TryParseAbsolute(text, store, out var path, out _))
            {
                return false;
            }

            paths.Add(path);
        }

        return true;
    }

    private static OutputClaim Of(NarInfo narInfo) =>
        new(narInfo.StorePath, new NarHash(narInfo.NarHash), narInfo.NarSize, narInfo.References);

    /// <inheritdoc/>
    public bool Equals(OutputClaim? other) => Fingerprint == other?.Fingerprint;

    /// <inheritdoc/>
    public override int GetHashCode() => Fingerprint.GetHashCode(StringComparison.Ordinal);

    private static OutputClaimError Read(JsonElement root, StorePath asked, out OutputClaim? claim)
    {
        claim = null;
        if (root.ValueKind is not JsonValueKind.Object)
        {
            return OutputClaimError.Json;
        }

        var members = new Dictionary<string, JsonElement>();
        foreach (var member in root.EnumerateObject())
        {
            if (!members.TryAdd(member.Name, member.Value))
            {
                return OutputClaimError.DuplicateMember;
            }
        }

        var narSize = 0L;
        NarHash? narHash = null;
        List<StorePath>? references = null;
        var error = !TryReadPath(members.GetValueOrDefault("path"), out var path) ? OutputClaimError.Path
            : path != asked ? OutputClaimError.OtherPath
            : !Consensus.NarHash.TryParse(Text(members.GetValueOrDefault("narHash")), out narHash) ? OutputClaimError.NarHash
            : !TryReadSize(members.GetValueOrDefault("narSize"), out narSize) ? OutputClaimError.NarSize
            : !TryReadReferences(members.GetValueOrDefault("references"), path.Store, out references) ? OutputClaimError.References
            : OutputClaimError.None;
        claim = error is OutputClaimError.None ? new OutputClaim(path!, narHash!, narSize, references!) : null;
        return error;
    }

    private static string? Text(JsonElement element) => element.ValueKind is JsonValueKind.String ? element.GetString() : null;

    private static bool TryReadPath(JsonElement element, [NotNullWhen(true)] out StorePath? path) =>
        StorePath.TryParseAbsolute(Text(element), out path, out _);

    private static bool TryReadSize(JsonElement element, out long size)
    {
        size = 0;
        return element.ValueKind is JsonValueKind.Number && element.TryGetInt64(out size) && size > 0;
    }

    private static bool TryReadReferences(JsonElement element, Store store, [NotNullWhen(true)] out List<StorePath>? references)
    {
        references = [];
        if (element.ValueKind is JsonValueKind.Array)
        {
            foreach (var item in element.EnumerateArray())
            {
                if (!TryReadPath(item, out var reference) || reference.Store != store)
                {
                    return false;
                }

                references.Add(reference);
            }
        }

        return element.ValueKind is JsonValueKind.Array or JsonValueKind.Null;
    }
}
