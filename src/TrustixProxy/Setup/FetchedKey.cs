using System.Security.Cryptography;
using System.Text;
using TrustixProxy.IO.Connecting;
using TrustixProxy.Nix;

namespace TrustixProxy.Setup;

/// <summary>A rebuilder's public key from the web, which nobody has confirmed yet.</summary>
/// <param name="Source">Where it was found.</param>
internal sealed record FetchedKey(NixPublicKey Key, Uri Source)
{
    private const int MaxSize = 64 << 10;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    /// <summary>The digest of the key's bytes, to compare by eye.</summary>
    public string Fingerprint => $"SHA256:{Convert.ToBase64String(SHA256.HashData(Key.Bytes)).TrimEnd('=')}";

    /// <summary>Whether a text is an address of keys and no key.</summary>
    public static bool IsSource(string text) => text.StartsWith("https:", StringComparison.Ordinal)
        || text.StartsWith("http:", StringComparison.Ordinal);

    /// <summary>Fetches a key once, from a text with a key in each line. The fragment of the address names the key if there are
    /// several.</summary>
    /// <exception cref="FormatException">There is no such key, or the address is none that keys may come from.</exception>
    /// <exception cref="HttpRequestException">The server cannot be reached, or refuses.</exception>
    public static async Task<FetchedKey> FetchAsync(string text, CancellationToken cancellation)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out var source))
        {
            throw NoSource(text);
        }

        return Find(Encoding.UTF8.GetString(await FetchTextAsync(source, cancellation)), source);
    }

    /// <summary>Fetches a small text with keys, once.</summary>
    /// <exception cref="FormatException">The address is none that keys may come from.</exception>
    /// <exception cref="HttpRequestException">The server cannot be reached, or refuses.</exception>
    public static async Task<byte[]> FetchTextAsync(Uri source, CancellationToken cancellation)
    {
        if (!(source.Scheme is "https" || source.IsLoopback))
        {
            throw NoSource(source.ToString());
        }

        using var transport = new PeerTransport(HttpProxies.FromEnvironment, TimeProvider.System);
        using var client = new HttpClient(transport) { MaxResponseContentBufferSize = MaxSize, Timeout = Limit };
        using var response = await client.GetAsync(source, cancellation);
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadAsByteArrayAsync(cancellation);
    }

    private static FormatException NoSource(string text) =>
        new($"'{text}' is no https address. Give one, or the key itself.");

    private static FetchedKey Find(string page, Uri source)
    {
        var wanted = Uri.UnescapeDataString(source.Fragment.TrimStart('#'));
        var keys = page.Split('\n').Select(line => line.Trim())
            .Select(line => NixPublicKey.TryParse(line, out var key, out _) ? key : null).OfType<NixPublicKey>()
            .Where(key => wanted.Length is 0 || key.Name == wanted).Distinct().ToList();
        var named = wanted.Length is 0 ? "" : $" with the name '{wanted}'";
        return keys switch
        {
            [var only] => new FetchedKey(only, source),
            [] => throw new FormatException($"'{source}' has no line name:base64{named}. Give the key itself."),
            _ => throw new FormatException($"'{source}' has several keys: {string.Join(", ", keys.Select(key => key.Name))}. Add #NAME to "
                + "the address, or give the key itself."),
        };
    }
}
