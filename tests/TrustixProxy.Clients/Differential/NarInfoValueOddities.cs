using System.Text;
using TrustixProxy.Nix;

namespace TrustixProxy.Clients.Differential;

/// <summary>Odd hashes, paths, addresses and hints in narinfos.</summary>
internal static class NarInfoValueOddities
{
    private const string OtherHash = "sha256:1wmyzqi978bzv8f43375m9ccbzl7ddv9jly3jq0sbl7j5x53qx18";
    private const string Derivation = "00bgd045z0d4icpbc2yyz4gx48ak44la-odd-1.0";

    private static readonly string Dummy = Convert.ToBase64String(new byte[64]);

    /// <param name="dependencies">Two plain paths of the corpus.</param>
    public static IEnumerable<Oddity> All(IReadOnlyList<StorePath> dependencies) =>
        [.. Hashes(), .. Paths(), .. Addresses(), .. Hints(), .. Signatures(), .. References(dependencies)];

    private static IEnumerable<Oddity> Hashes() =>
    [
        .. from field in new[] { "FileHash", "NarHash" }
           from spelling in new (string Name, Func<NixHash, string> Write)[]
           {
               ("in base 16", hash => hash.ToBase16()),
               ("in base 16 in capitals", hash => $"sha256:{Convert.ToHexString(hash.Bytes)}"),
               ("in base 64", hash => $"sha256:{Convert.ToBase64String(hash.Bytes)}"),
               ("in base 64 without padding", hash => $"sha256:{Convert.ToBase64String(hash.Bytes).TrimEnd('=')}"),
               ("in SRI", hash => hash.ToSri()),
               ("in SRI without padding", hash => hash.ToSri().TrimEnd('=')),
               ("in SRI with options", hash => hash.ToSri() + "?opt"),
               ("in SRI of nix32", hash => $"sha256-{hash.Digits}"),
               ("without an algorithm", hash => hash.Digits),
               ("with its algorithm in capitals", hash => $"SHA256:{hash.Digits}"),
               ("with a blank behind", hash => $"{hash} "),
           }
           select new Oddity($"{field} {spelling.Name}")
           {
               Lines = Oddity.Set(field, sample => spelling.Write(field is "NarHash" ? sample.NarHash : sample.FileHash)),
           },
        new("FileHash of another file") { Lines = Oddity.Set("FileHash", OtherHash) },
        new("FileHash of another file, xz") { Compression = "xz", Lines = Oddity.Set("FileHash", OtherHash) },
        new("an empty FileHash") { Lines = Oddity.Set("FileHash", "") },
        new("FileHash by MD5") { Lines = Oddity.Set("FileHash", "md5:" + new string('0', 32)) },
        new("FileHash by SHA-1") { Compression = "xz", Lines = Oddity.Set("FileHash", "sha1:" + new string('0', 40)) },
        new("FileHash by SHA-512") { Compression = "xz", Lines = Oddity.Set("FileHash", "sha512:" + new string('0', 128)) },
        new("FileHash by BLAKE3") { Compression = "xz", Lines = Oddity.Set("FileHash", "blake3:" + new string('0', 64)) },
        new("FileSize of another file") { Lines = Oddity.Set("FileSize", "12") },
        new("FileSize zero") { Lines = Oddity.Set("FileSize", "0") },
        new("FileSize beyond 63 bits") { Lines = Oddity.Set("FileSize", "18446744073709551615") },
        new("FileSize beyond 64 bits") { Lines = Oddity.Set("FileSize", "18446744073709551616") },
        new("FileSize negative") { Lines = Oddity.Set("FileSize", "-1") },
        new("FileSize empty") { Lines = Oddity.Set("FileSize", "") },
    ];

    private static IEnumerable<Oddity> Paths() =>
    [
        new("StorePath with a slash behind") { Lines = Oddity.Set("StorePath", sample => sample.Path.Absolute + "/") },
        new("StorePath with two slashes") { Lines = Oddity.Set("StorePath", sample => $"/nix/store//{sample.Path}") },
        new("StorePath with a dot") { Lines = Oddity.Set("StorePath", sample => $"/nix/./store/{sample.Path}") },
        new("StorePath with two dots") { Lines = Oddity.Set("StorePath", sample => $"/nix/store/x/../{sample.Path}") },
        new("StorePath without the store") { Lines = Oddity.Set("StorePath", sample => $"{sample.Path}") },
        new("StorePath with a blank behind") { Lines = Oddity.Set("StorePath", sample => sample.Path.Absolute + " ") },
        new("a name of 211 characters") { PathName = new string('n', 211) },
        new("a name with every character") { PathName = "a+-._?=Z9" },
        new("a name that begins with a dot") { PathName = ".hidden" },
    ];

    private static IEnumerable<Oddity> Addresses() =>
    [
        new("URL with a dot") { Lines = Oddity.Set("URL", sample => $"./{sample.Url}") },
        new("URL with two dots") { Lines = Oddity.Set("URL", sample => $"nar/../{sample.Url}") },
        new("URL with two slashes") { Lines = Oddity.Set("URL", sample => sample.Url.Replace("/", "//", StringComparison.Ordinal)) },
        new("URL with a slash in front") { Lines = Oddity.Set("URL", sample => $"/{sample.Url}") },
        new("URL with a query") { Lines = Oddity.Set("URL", sample => $"{sample.Url}?hash=a%20b&c=d+e") },
        new("URL with a fragment") { Lines = Oddity.Set("URL", sample => $"{sample.Url}#part") },
        new("URL with an escape") { Lines = Oddity.Set("URL", sample => sample.Url.Replace(".nar", "%2enar", StringComparison.Ordinal)) },
        new("URL with a bad escape") { Lines = Oddity.Set("URL", sample => $"{sample.Url}?%zz") },
        new("URL with a blank") { Lines = Oddity.Set("URL", sample => $"{sample.Url}?a b") },
        new("URL in UTF-8") { Lines = Oddity.Set("URL", sample => $"{sample.Url}?{Encoding.Latin1.GetString("ü"u8)}") },
        new("URL with brackets and a bar") { Lines = Oddity.Set("URL", sample => $"{sample.Url}?a[]=|^") },
    ];

    private static IEnumerable<Oddity> Hints() =>
    [
        new("an unknown deriver") { Lines = Oddity.Set("Deriver", "unknown-deriver") },
        new("an empty deriver") { Lines = Oddity.Set("Deriver", "") },
        new("a deriver in UTF-8") { Lines = Oddity.Set("Deriver", Encoding.Latin1.GetString("größer"u8)) },
        new("a deriver with the store") { Lines = Oddity.Set("Deriver", $"/nix/store/{Derivation}.drv") },
        new("a deriver that is no derivation") { Lines = Oddity.Set("Deriver", Derivation) },
        new("a malformed deriver") { Lines = Oddity.Set("Deriver", "../../etc/passwd") },
    ];

    private static IEnumerable<Oddity> Signatures() =>
    [
        new("a signature of another key before ours") { Lines = Oddity.First($"Sig: other-1:{Dummy}") },
        new("a signature twice") { Lines = sample => sample.Lines.Append(sample.Lines.Last()) },
        new("27 signatures")
        {
            Lines = sample => sample.Lines.Concat(Enumerable.Range('A', 26).Select(letter => $"Sig: other-{(char)letter}:{Dummy}")),
        },
        new("a signature without a name") { Lines = Oddity.Last($"Sig: :{Dummy}") },
        new("a signature without a colon") { Lines = Oddity.Last("Sig: nothing") },
        new("a short signature") { Lines = Oddity.Last("Sig: other-1:c2hvcnQ=") },
        new("a signature that is no base 64") { Lines = Oddity.Last("Sig: other-1:%%%%") },
        new("an empty signature") { Lines = Oddity.Last("Sig: ") },
        new("a signature's key in UTF-8") { Lines = Oddity.Last($"Sig: {Encoding.Latin1.GetString("schlüssel"u8)}:{Dummy}") },
        new("a forged signature of our key before the right one") { Lines = Oddity.First($"Sig: corpus-1:{Dummy}") },
        new("our signature with a blank behind") { Lines = sample => sample.Lines.SkipLast(1).Append(sample.Lines.Last() + " ") },
        new("our signature without padding") { Lines = sample => sample.Lines.SkipLast(1).Append(sample.Lines.Last().TrimEnd('=')) },
        new("an unknown content address") { Lines = Oddity.Last("CA: blake:xyz") },
    ];

    private static IEnumerable<Oddity> References(IReadOnlyList<StorePath> dependencies) =>
        from odd in new (string Name, Func<string, string, string> Write)[]
        {
            ("references out of order", (a, b) => $"{b} {a}"),
            ("a blank before references", (a, b) => $" {a} {b}"),
            ("a blank behind references", (a, b) => $"{a} {b} "),
            ("two blanks between references", (a, b) => $"{a}  {b}"),
            ("a tab between references", (a, b) => $"{a}\t{b}"),
            ("a reference twice", (a, b) => $"{a} {b} {a}"),
            ("a reference with the store", (a, b) => $"/nix/store/{a} {b}"),
        }
        let sorted = dependencies.Order().ToList()
        select new Oddity(odd.Name)
        {
            References = sorted,
            Lines = Oddity.Set("References", odd.Write(sorted[0].ToString(), sorted[1].ToString())),
        };
}
