using System.Text;

namespace TrustixProxy.Clients.Differential;

/// <summary>Odd addresses of caches, and odd answers for <c>nix-cache-info</c>.</summary>
internal static class CacheOddities
{
    public static IEnumerable<Oddity> All => [.. Addresses(), .. Descriptions()];

    private static IEnumerable<Oddity> Addresses() =>
    [
        .. from end in new[]
           {
               "/", "//", "///", "/.", "/./", "/x/..", "?priority=10", "/?priority=10", "?priority=0", "?priority=2000", "?priority=-1",
               "?trusted=false", "?want-mass-query=true", "?priority=10&want-mass-query=true", "?compression=xz", "?unknown=1", "?",
           }
           select new Oddity($"an address that ends in '{end}'") { Address = url => url + end },
        new("an address with two slashes inside") { Address = url => Below(url, "//") },
        new("an address with a dot inside") { Address = url => Below(url, "/./") },
        new("an address with an escape") { Address = url => Below(url, "/%2e/") },
        new("an address with an escaped letter") { Address = url => url[..^1] + $"%{(int)url[^1]:x2}" },
        new("a scheme in capitals") { Address = url => url.Replace("http:", "HTTP:", StringComparison.Ordinal) },
        new("localhost") { Address = url => At(url, "localhost") },
        new("LOCALHOST") { Address = url => At(url, "LOCALHOST") },
        new("localhost with a dot behind") { Address = url => At(url, "localhost.") },
        new("a short IPv4 address") { Address = url => At(url, "127.1") },
        new("a hexadecimal IPv4 address") { Address = url => At(url, "0x7f.0.0.1") },
        new("a decimal IPv4 address") { Address = url => At(url, "2130706433") },
        new("an IPv4 address with leading zeros") { Address = url => At(url, "127.0.0.01") },
        new("an IPv4 address in IPv6") { Address = url => At(url, "[::ffff:127.0.0.1]") },
        new("a port with leading zeros") { Address = url => url.Replace("127.0.0.1:", "127.0.0.1:0", StringComparison.Ordinal) },
        new("a user and a password in the address")
        {
            Address = url => At(url, "nix:s3cret@127.0.0.1"),
            Authorization = "Basic " + Convert.ToBase64String("nix:s3cret"u8),
        },
        new("an empty user in the address") { Address = url => At(url, "@127.0.0.1") },
    ];

    private static IEnumerable<Oddity> Descriptions() =>
    [
        .. from status in new[] { 201, 204, 301, 400, 401, 403, 404, 410, 429, 500, 503 }
           select new Oddity($"nix-cache-info with status {status}") { CacheInfoStatus = status },
        .. from text in new[]
           {
               "", "\n", "nonsense", "<html></html>", "StoreDir: /nix/store", "StoreDir: /nix/store\r\n", "StoreDir:/nix/store\n",
               "StoreDir: /nix/store/\n", "StoreDir: /gnu/store\n", "StoreDir: \n", "storedir: /gnu/store\n", "Priority: nonsense\n",
               "Priority: -1\n", "Priority: 99999999999999999999\n", "Priority:\n", "WantMassQuery: nonsense\n", "WantMassQuery: 0\n",
               "Unknown: field\n", "StoreDir: /nix/store\nStoreDir: /nix/store\n", "Priority: 1\nPriority: 2\n", "# a comment\n",
           }
           select new Oddity($"nix-cache-info '{Visible(text)}'") { CacheInfo = text },
        new("nix-cache-info of 200 kB") { CacheInfo = new StringBuilder().Insert(0, "Note: x\n", 25_000).ToString() },
    ];

    private static string Visible(string text) =>
        text.Replace("\n", "\\n", StringComparison.Ordinal).Replace("\r", "\\r", StringComparison.Ordinal);

    private static string At(string url, string host) => url.Replace("127.0.0.1", host, StringComparison.Ordinal);

    /// <summary>Replaces the slash before the last part of the path.</summary>
    private static string Below(string url, string slash) => url[..url.LastIndexOf('/')] + slash + url[(url.LastIndexOf('/') + 1)..];
}
