using System.Buffers;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace TrustixProxy.Nix;

/// <summary>Collects the fields of one narinfo. Each field has one case in <see cref="Set"/>.</summary>
internal sealed class NarInfoReader
{
    private static readonly SearchValues<byte> Allowed = SearchValues.Create([(byte)'\n', .. Enumerable.Range(' ', '~' - ' ' + 1).Select(c => (byte)c)]);

    private readonly HashSet<string> _seen = [];
    private readonly ImmutableArray<NixSignature>.Builder _signatures = ImmutableArray.CreateBuilder<NixSignature>();
    private ImmutableArray<StorePath> _references = [];
    private StorePath? _storePath, _deriver;
    private string? _url, _compression;
    private NixHash? _fileHash, _narHash;
    private long? _fileSize, _narSize;
    private ContentAddress? _contentAddress;

    public NarInfoError Read(ReadOnlySpan<byte> bytes)
    {
        var error = bytes.Length > NarInfo.MaxSize ? NarInfoError.TooLarge
            : bytes.ContainsAnyExcept(Allowed) ? NarInfoError.Character
            : bytes is not [.., (byte)'\n'] ? NarInfoError.NoFinalNewline
            : NarInfoError.None;
        if (error is not NarInfoError.None)
        {
            return error;
        }

        ReadOnlySpan<char> text = Encoding.ASCII.GetString(bytes[..^1]);
        foreach (var line in text.Split('\n'))
        {
            error = ReadLine(text[line]);
            if (error is not NarInfoError.None)
            {
                return error;
            }
        }

        return Missing();
    }

    public NarInfo ToNarInfo() => new()
    {
        StorePath = _storePath!,
        Url = _url!,
        Compression = string.IsNullOrEmpty(_compression) ? "bzip2" : _compression,
        FileHash = _fileHash,
        FileSize = _fileSize,
        NarHash = _narHash!,
        NarSize = _narSize!.Value,
        References = _references,
        Deriver = _deriver,
        Signatures = _signatures.ToImmutable(),
        ContentAddress = _contentAddress,
    };

    private NarInfoError ReadLine(ReadOnlySpan<char> line)
    {
        var colon = line.IndexOf(':');
        if (colon < 0 || line.Length < colon + 2 || line[colon + 1] is not ' ')
        {
            return NarInfoError.NoSeparator;
        }

        var (name, value) = (line[..colon].ToString(), line[(colon + 2)..].ToString());
        return name is not "Sig" && !_seen.Add(name) ? NarInfoError.Duplicate : Set(name, value);
    }

    private NarInfoError Set(string name, string value) => name switch
    {
        "StorePath" => Check(StorePath.TryParseAbsolute(value, out _storePath, out _), NarInfoError.StorePath),
        "URL" => Check(!(_url = value).Contains(' '), NarInfoError.Url),
        "Compression" => Check(!(_compression = value).Contains(' '), NarInfoError.Compression),
        "FileHash" => Check(NixHash.TryParse(value, out _fileHash, out _), NarInfoError.FileHash),
        "FileSize" => Check(TryParseSize(value, out _fileSize), NarInfoError.FileSize),
        "NarHash" => Check(NixHash.TryParse(value, out _narHash, out _) && _narHash.Algorithm is NixHashAlgorithm.Sha256, NarInfoError.NarHash),
        "NarSize" => Check(TryParseSize(value, out _narSize) && _narSize > 0, NarInfoError.NarSize),
        "References" => Check(TryParseReferences(value), NarInfoError.References),
        _ => SetHint(name, value),
    };

    /// <summary>Unsigned hints, which are left out when malformed, and fields that Nix does not know, which it skips too.</summary>
    private NarInfoError SetHint(string name, string value)
    {
        if (name is "Deriver")
        {
            _deriver = StorePath.TryParse(value, out var deriver, out _) ? deriver : null;
        }
        else if (name is "CA")
        {
            _contentAddress = ContentAddress.TryParse(value, out var address) ? address : null;
        }
        else if (name is "Sig" && NixSignature.TryParse(value, out var signature))
        {
            _signatures.Add(signature);
        }

        return NarInfoError.None;
    }

    private NarInfoError Missing() =>
        _storePath is null ? NarInfoError.StorePathMissing
        : string.IsNullOrEmpty(_url) ? NarInfoError.UrlMissing
        : _narHash is null ? NarInfoError.NarHashMissing
        : _narSize is null ? NarInfoError.NarSizeMissing
        : NarInfoError.None;

    private bool TryParseReferences(string value)
    {
        var references = ImmutableArray.CreateBuilder<StorePath>();
        foreach (var word in value.Length is 0 ? [] : value.Split(' '))
        {
            if (!StorePath.TryParse(word, out var reference, out _))
            {
                return false;
            }

            references.Add(reference);
        }

        _references = references.ToImmutable();
        return true;
    }

    private static NarInfoError Check(bool good, NarInfoError error) => good ? NarInfoError.None : error;

    private static bool TryParseSize(string text, out long? size)
    {
        var good = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number.ToString(CultureInfo.InvariantCulture) == text;
        size = good ? number : null;
        return good;
    }
}
