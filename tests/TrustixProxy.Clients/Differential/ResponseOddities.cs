using TrustixProxy.Testing;

namespace TrustixProxy.Clients.Differential;

/// <summary>Odd responses: statuses, headers and content encodings.</summary>
internal static class ResponseOddities
{
    public static IEnumerable<Oddity> All => [.. Encodings(), .. Statuses(), .. Headers()];

    /// <summary>Content encodings of the narinfo's and the NAR's response.</summary>
    private static IEnumerable<Oddity> Encodings() =>
        from encoding in new (string Header, string Format)[]
        {
            ("gzip", "gzip"), ("x-gzip", "gzip"), ("GZIP", "gzip"), (" gzip ", "gzip"), ("br", "br"), ("BR", "br"), ("zstd", "zstd"),
            ("identity", "none"), ("Identity", "none"), ("none", "none"), ("", "none"), ("xz", "xz"), ("bzip2", "bzip2"),
            ("x-bzip2", "bzip2"), ("gzip, identity", "gzip"), ("identity, gzip", "gzip"), ("nonsense", "none"), ("gzip", "none"),
            ("utf-8", "none"), ("aws-chunked", "none"),
        }
        from part in new[] { "narinfo", "NAR" }
        let headers = new[] { ("Content-Encoding", encoding.Header) }
        let encode = (Func<byte[], byte[]>)(body => TestOutput.Compress(encoding.Format, body))
        let name = $"{part} as {encoding.Format} with Content-Encoding '{encoding.Header}'"
        select part is "NAR"
            ? new Oddity(name) { NarHeaders = headers, EncodeNar = encode, Compression = "xz" }
            : new Oddity(name) { NarInfoHeaders = headers, EncodeNarInfo = encode };

    /// <summary>Statuses of whole bodies.</summary>
    private static IEnumerable<Oddity> Statuses() =>
        from status in new[] { 200, 201, 202, 203, 206, 218, 226, 299, 304, 400, 404, 410, 500 }
        from isNar in new[] { false, true }
        select new Oddity($"{(isNar ? "NAR" : "narinfo")} with status {status}")
        {
            NarInfoStatus = isNar ? 200 : status,
            NarStatus = isNar ? status : 200,
            IsChunked = status is 304,
        };

    /// <summary>Headers of both responses.</summary>
    private static IEnumerable<Oddity> Headers() =>
    [
        new("no Content-Length") { IsChunked = true },
        .. from header in new (string Name, string Value)[]
           {
               ("Content-Type", "text/html"), ("Content-Type", "nonsense"), ("Content-Type", ""),
               ("Content-Type", "text/x; charset=klingon"),
               ("Accept-Ranges", "none"), ("Accept-Ranges", "nonsense"), ("Content-Range", "nonsense"), ("Content-Range", "bytes 0-9/10"),
               ("Content-Range", "bytes */*"), ("ETag", "no quotes"), ("ETag", "W/\"weak\""), ("ETag", "\""), ("ETag", ""),
               ("Last-Modified", "yesterday"), ("Date", "never"), ("Expires", "-1"), ("Age", "-5"),
               ("Cache-Control", "no-store, nonsense=;,"),
               ("Vary", "*"), ("Retry-After", "soon"), ("Connection", "close"), ("Connection", "nonsense"), ("Keep-Alive", "timeout=0"),
               ("Content-Disposition", "attachment; filename=\""), ("Location", "/elsewhere"), ("Link", "<https://cache>; rel=immutable"),
               ("Link", "nonsense"), ("WWW-Authenticate", "Basic"), ("Set-Cookie", "a=b"), ("Content-MD5", "nonsense"),
               ("Trailer", "X-End"),
               ("Upgrade", "h2c"), ("Alt-Svc", "h3=\":443\""), ("Content-Location", "http://:::"), ("Content-Language", "\u00fc"),
               ("X-Words", "gr\u00f6\u00dfer"), ("X-Long", new string('x', 12_000)), ("Content-Encoding", "identity"),
           }
           select new Oddity($"header {header.Name} '{header.Value[..Math.Min(40, header.Value.Length)]}'")
           {
               NarHeaders = [header],
               NarInfoHeaders = [header],
           },
        new("300 headers") { NarHeaders = Many, NarInfoHeaders = Many },
        new("a header twice") { NarHeaders = [("ETag", "\"a\""), ("ETag", "\"b\"")], NarInfoHeaders = [("ETag", "\"a\""), ("ETag", "x")] },
    ];

    private static (string Name, string Value)[] Many => [.. Enumerable.Range(0, 300).Select(i => ($"X-Number-{i}", "x"))];
}
