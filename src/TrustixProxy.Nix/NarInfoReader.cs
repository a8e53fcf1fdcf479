using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace TrustixProxy.Nix;

/// <summary>Collects the fields of one narinfo, split exactly as Nix splits it. <see cref="Set"/> has a case for each field.</summary>
/// <remarks>A name extends to the next colon. Its value begins two bytes later, whatever byte is between, and ends at the next newline. So
/// an empty line becomes part of the next field's name, and <c>References:</c> without a blank swallows the next line. A repeated field
/// replaces the first, but references and content addresses may occur only once. Source: nix <c>src/libstore/nar-info.cc</c>.</remarks>
internal sealed class NarInfoReader
{
    private readonly ImmutableArray<NixSignature>.Builder _signatures = ImmutableArray.CreateBuilder<NixSignature>();
    private ImmutableArray<StorePath> _references = [];
    private StorePath? _storePath, _deriver;
    private string? _url, _compression;
    private NixHash? _fileHash, _narHash;
    private long? _fileSize, _narSize;
    private ContentAddress? _contentAddress;
    private bool _hasContentAddress;

    public NarInfoError Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > NarInfo.MaxSize)
        {
            return NarInfoError.TooLarge;
        }

        ReadOnlySpan<char> text = Encoding.Latin1.GetString(bytes);
        while (text.Length > 0)
        {
            if (text.IndexOf(':') is not (>= 0 and var colon))
            {
                return NarInfoError.NoSeparator;
            }

            var value = text[Math.Min(colon + 2, text.Length)..];
            if (value.IndexOf('\n') is not (>= 0 and var end))
            {
                return NarInfoError.NoFinalNewline;
            }

            var error = Set(text[..colon], value[..end].ToString());
            if (error is not NarInfoError.None)
            {
                return error;
            }

            text = value[(end + 1)..];
        }

        return Missing();
    }

    public NarInfo ToNarInfo() => new()
    {
        StorePath = _storePath!,
        Url = _url!,
        Compression = _compression ?? "bzip2",
        FileHash = _fileHash,
        FileSize = _fileSize,
        NarHash = _narHash!,
        NarSize = _narSize!.Value,
        References = _references,
        Deriver = _deriver,
        Signatures = _signatures.ToImmutable(),
        ContentAddress = _contentAddress,
    };

    private NarInfoError Set(ReadOnlySpan<char> name, string value) => name switch
    {
        "StorePath" => Check(
            StorePath.TryParseAbsolute(Canonical(value), Store.Nix, out _storePath, out _), NarInfoError.StorePath),
        "URL" => Check(TrySetUrl(value), NarInfoError.Url),
        "Compression" => Check(TrySetCompression(value), NarInfoError.Compression),
        "FileHash" => Check(NixHash.TryParse(value, out _fileHash, out _), NarInfoError.FileHash),
        "FileSize" => Check(TryParseSize(value, out _fileSize) || IsHuge(value), NarInfoError.FileSize),
        "NarHash" =>
            Check(NixHash.TryParse(value, out _narHash, out _) && _narHash.Algorithm is NixHashAlgorithm.Sha256, NarInfoError.NarHash),
        "NarSize" => Check(TryParseSize(value, out _narSize) && _narSize > 0, NarInfoError.NarSize),
        "References" => SetReferences(value),
        "CA" => SetContentAddress(value),
        _ => SetHint(name, value),
    };

    /// <summary>Sets an unsigned hint, or omits it when malformed; ignores unknown fields, as Nix does.</summary>
    private NarInfoError SetHint(ReadOnlySpan<char> name, string value)
    {
        if (name is "Deriver")
        {
            _deriver = StorePath.TryParse(value, out var deriver, out _) ? deriver : null;
        }
        else if (name is "Sig" && NixSignature.TryParseLine(value, out var signature))
        {
            _signatures.Add(signature);
        }

        return NarInfoError.None;
    }

    private NarInfoError SetContentAddress(string value)
    {
        if (_hasContentAddress)
        {
            return NarInfoError.Duplicate;
        }

        _contentAddress = ContentAddress.TryParse(value, out var address) ? address : null;
        _hasContentAddress = value.Length > 0;
        return NarInfoError.None;
    }

    private NarInfoError SetReferences(string value)
    {
        if (_references.Length > 0)
        {
            return NarInfoError.Duplicate;
        }

        var references = ImmutableArray.CreateBuilder<StorePath>();
        foreach (var word in value.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!StorePath.TryParse(word, out var reference, out _))
            {
                return NarInfoError.References;
            }

            references.Add(reference);
        }

        _references = references.ToImmutable();
        return NarInfoError.None;
    }

    /// <summary>Escapes bytes from 128, so that the URL is ASCII and names what Nix asks for.</summary>
    private bool TrySetUrl(string value)
    {
        _url = string.Concat(value.Select(c => c < 128 ? $"{c}" : $"%{(int)c:X2}"));
        return !_url.AsSpan().ContainsAnyExceptInRange('!', '~');
    }

    /// <summary>Ignores case, blanks around the name and the prefix <c>x-</c>: Nix recognizes a compression by the file's first
    /// bytes.</summary>
    private bool TrySetCompression(string value)
    {
        var name = value.Trim(' ').ToLowerInvariant();
        name = name.StartsWith("x-", StringComparison.Ordinal) ? name[2..] : name;
        _compression = value.Length is 0 ? null : name;
        return !name.AsSpan().ContainsAnyExceptInRange('!', '~');
    }

    private NarInfoError Missing() =>
        _storePath is null ? NarInfoError.StorePathMissing
        : string.IsNullOrEmpty(_url) ? NarInfoError.UrlMissing
        : _narHash is null ? NarInfoError.NarHashMissing
        : _narSize is null ? NarInfoError.NarSizeMissing
        : NarInfoError.None;

    private static NarInfoError Check(bool good, NarInfoError error) => good ? NarInfoError.None : error;

    /// <summary>Resolves empty, <c>.</c> and <c>..</c> segments of an absolute path, as Nix does before it reads a store path.</summary>
    private static string Canonical(string path)
    {
        var isOdd = path.EndsWith('/') || path.Contains("//", StringComparison.Ordinal) || path.Contains("/.", StringComparison.Ordinal);
        if (!isOdd || !path.StartsWith('/'))
        {
            return path;
        }

        var segments = new Stack<string>();
        foreach (var segment in path.Split('/').Where(segment => segment is not ("" or ".")))
        {
            if (segment is not "..")
            {
                segments.Push(segment);
            }
            else
            {
                segments.TryPop(out _);
            }
        }

        return "/" + string.Join('/', segments.Reverse());
    }

    /// <summary>Whether a file's size, a hint, is one that Nix can still read: below 2^64.</summary>
    private static bool IsHuge(string text) => ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _);

    /// <summary>Parses a decimal number below 2^63. Like Nix, allows a plus sign and leading zeros.</summary>
    private static bool TryParseSize(string text, out long? size)
    {
        var digits = text.StartsWith('+') ? text[1..] : text;
        var good = long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number);
        size = good ? number : null;
        return good;
    }
}
