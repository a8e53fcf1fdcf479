using System.Globalization;
using System.Text;

namespace TrustixProxy.Nix;

/// <summary>Reads a GNU Guix narinfo: what is voted on from the signed part alone, hints about the NAR's location from anywhere.</summary>
/// <remarks>A narinfo lists the NAR once per compression. The one that is decoded fastest counts. Source: Guix
/// <c>guix/narinfo.scm</c>.</remarks>
internal sealed class GuixNarInfoReader
{
    /// <summary>Compressions from the fastest to the slowest to decode; others come last.</summary>
    private static readonly string[] Fastest = ["zstd", "none", "gzip", "lzip"];

    private readonly List<(string Url, string? Compression, long? FileSize)> _groups = [];
    private StorePath? _deriver;

    public NarInfoError Read(ReadOnlySpan<byte> bytes, out NarInfo? narInfo)
    {
        narInfo = null;
        if (bytes.Length > NarInfo.MaxSize)
        {
            return NarInfoError.TooLarge;
        }

        if (bytes is not [.., (byte)'\n'])
        {
            return NarInfoError.NoFinalNewline;
        }

        if (!Ascii.IsValid(bytes))
        {
            return NarInfoError.NotAscii;
        }

        var text = Encoding.ASCII.GetString(bytes);
        GuixFields? fields = null;
        var error = GuixSignature.Read(text, out var signature, out _);
        error = error is not NarInfoError.None || signature is not null ? error : GuixFields.Read(text, out fields);
        error = error is NarInfoError.None ? ReadHints(text) : error;
        narInfo = error is NarInfoError.None ? Make(signature?.Fields ?? fields!, signature) : null;
        return error;
    }

    private NarInfo Make(GuixFields fields, GuixSignature? signature)
    {
        var (url, compression, fileSize) = _groups.MinBy(group => RankOf(group.Compression!));
        return new NarInfo
        {
            StorePath = fields.StorePath,
            Url = url,
            Compression = compression!,
            FileSize = fileSize,
            NarHash = fields.NarHash,
            NarSize = fields.NarSize,
            References = fields.References,
            Deriver = _deriver,
            GuixSignature = signature,
        };
    }

    private static int RankOf(string compression) => Array.IndexOf(Fastest, compression) is var rank and >= 0 ? rank : Fastest.Length;

    private NarInfoError ReadHints(string text)
    {
        foreach (var (name, value) in GuixLines.Of(text))
        {
            var error = name switch
            {
                "" => NarInfoError.Line,
                "URL" => AddUrl(value),
                "Compression" => SetCompression(value),
                "FileSize" => SetFileSize(value),
                _ => NarInfoError.None,
            };
            if (error is not NarInfoError.None)
            {
                return error;
            }

            _deriver ??= name is "Deriver" && StorePath.TryParse(value, Store.Guix, out var deriver, out _) ? deriver : null;
        }

        return _groups.Count is 0 ? NarInfoError.UrlMissing
            : _groups.Exists(group => group.Compression is null) ? NarInfoError.Compression : NarInfoError.None;
    }

    private NarInfoError AddUrl(string value)
    {
        _groups.Add((value, null, null));
        return value.Length is 0 ? NarInfoError.UrlMissing : value.Contains(' ') ? NarInfoError.Url : NarInfoError.None;
    }

    private NarInfoError SetCompression(string value)
    {
        if (_groups is not [.., { Compression: null } last] || value.Length is 0 || value.Contains(' '))
        {
            return NarInfoError.Compression;
        }

        _groups[^1] = last with { Compression = value };
        return NarInfoError.None;
    }

    private NarInfoError SetFileSize(string value)
    {
        if (_groups is not [.., { FileSize: null } last]
            || !long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var size))
        {
            return NarInfoError.FileSize;
        }

        _groups[^1] = last with { FileSize = size };
        return NarInfoError.None;
    }
}
