using System.Collections.Frozen;

namespace TrustixProxy.Apt;

/// <summary>Why a request target is none of an archive.</summary>
public enum RequestError
{
    /// <summary>The target is valid.</summary>
    None,

    /// <summary>Not a path: an absolute URL, an authority or <c>*</c>. Whoever served it would be an open proxy.</summary>
    NotPath,

    /// <summary>Longer than 2,048 characters.</summary>
    TooLong,

    /// <summary>A query or a fragment.</summary>
    Query,

    /// <summary>A percent sign without two hexadecimal digits, or one that escapes a dot, a slash, a backslash, a percent sign, a query, a
    /// space, a control character or a byte outside ASCII.</summary>
    Escape,

    /// <summary>A control character, a space, a backslash or a character outside ASCII.</summary>
    Character,

    /// <summary>A segment that is empty or <c>..</c>.</summary>
    Segment,

    /// <summary>Nothing below the archive's name.</summary>
    NoFile,

    /// <summary>The file name of a package that is not <c>name_version_architecture.deb</c>.</summary>
    PackageName,

    /// <summary>A file by hash whose hash is none of its algorithm, in lower case.</summary>
    ByHash,
}

/// <summary>What is asked for.</summary>
public enum RequestKind
{
    /// <summary>A file that describes the archive: Release files, indexes, translations. apt verifies it.</summary>
    Index,

    /// <summary>Such a file, by its hash.</summary>
    ByHash,

    /// <summary>A file of differences between indexes, without which apt takes whole indexes.</summary>
    IndexDiff,

    /// <summary>A package.</summary>
    Package,

    /// <summary>Any other file: sources, changelogs, images.</summary>
    Other,
}

/// <summary>What a client of the gate asks for: a file of an archive. The only way from a request target to a path.</summary>
/// <remarks><c>/debian/pool/main/g/gcc/g%2b%2b_14.2_amd64.deb</c>: the archive's name, then the path in it. Escapes are decoded once.
/// </remarks>
public sealed record ArchiveRequest
{
    private static readonly FrozenDictionary<string, int> HashLengths = new Dictionary<string, int>
    {
        ["MD5Sum"] = 32,
        ["SHA1"] = 40,
        ["SHA256"] = 64,
        ["SHA512"] = 128,
    }.ToFrozenDictionary();

    private ArchiveRequest(string archive, string path) => (Archive, Path) = (archive, path);

    /// <summary>The archive's name.</summary>
    public string Archive { get; }

    /// <summary>The path below the archive, decoded.</summary>
    public string Path { get; }

    /// <summary>What is asked for.</summary>
    public RequestKind Kind { get; private init; }

    /// <summary>The package's file; null for other kinds.</summary>
    public DebFile? File { get; private init; }

    /// <summary>The algorithm of a file by hash: <c>MD5Sum</c>, <c>SHA1</c>, <c>SHA256</c> or <c>SHA512</c>; else null.</summary>
    public string? HashName { get; private init; }

    /// <summary>The hash of a file by hash, in hexadecimal digits of lower case; null for other kinds.</summary>
    public string? HashHex { get; private init; }

    /// <summary>Whether it may be an index of packages. By its hash alone, other files of the same folder look the same.</summary>
    public bool MayBePackages { get; private init; }

    /// <summary>The path escaped for a request to the archive.</summary>
    public string UrlPath => string.Join('/', Path.Split('/').Select(Uri.EscapeDataString));

    /// <summary>Reads a raw request target.</summary>
    public static bool TryParse(string rawTarget, [NotNullWhen(true)] out ArchiveRequest? request, out RequestError error)
    {
        request = null;
        var segments = new List<string>();
        error = !rawTarget.StartsWith('/') ? RequestError.NotPath
            : rawTarget.Length > ArchivePath.MaxLength ? RequestError.TooLong
            : ArchivePath.Decode(rawTarget.AsSpan(1), out segments) is var fault and not RequestError.None ? fault
            : segments.Count < 2 ? RequestError.NoFile
            : Read(segments[0], segments[1..], out request);
        return request is not null;
    }

    private static RequestError Read(string archive, List<string> segments, out ArchiveRequest? request)
    {
        request = new ArchiveRequest(archive, string.Join('/', segments));
        var (name, isBelowDists) = (segments[^1], segments[0] is "dists");
        if (DebFile.HasExtension(name))
        {
            request = DebFile.TryParse(name, out var file) ? request with { Kind = RequestKind.Package, File = file } : null;
            return request is null ? RequestError.PackageName : RequestError.None;
        }

        if (segments.Exists(segment => segment.EndsWith(".diff", StringComparison.Ordinal)))
        {
            request = request with { Kind = RequestKind.IndexDiff };
            return RequestError.None;
        }

        if (segments is [.. var folder, "by-hash", var algorithm, var hash])
        {
            var isHash = HashLengths.GetValueOrDefault(algorithm) == hash.Length && hash.All(char.IsAsciiHexDigitLower);
            var mayBe = !isBelowDists || folder[^1].StartsWith("binary-", StringComparison.Ordinal);
            request = isHash ? request with { Kind = RequestKind.ByHash, HashName = algorithm, HashHex = hash, MayBePackages = mayBe }
                : null;
            return isHash ? RequestError.None : RequestError.ByHash;
        }

        var isPackages = name is "Packages" || name.StartsWith("Packages.", StringComparison.Ordinal);
        request = request with
        {
            Kind = isBelowDists || isPackages || name is "InRelease" or "Release" or "Release.gpg" ? RequestKind.Index : RequestKind.Other,
            MayBePackages = isPackages,
        };
        return RequestError.None;
    }
}
