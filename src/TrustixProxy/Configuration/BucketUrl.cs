using System.Globalization;

namespace TrustixProxy.Configuration;

/// <summary>The address of a cache in an S3-compatible bucket, as nix.conf has it.</summary>
/// <remarks>
/// <code>
/// s3://BUCKET[/PREFIX][?region=…&amp;endpoint=…&amp;scheme=…&amp;addressing-style=…&amp;profile=…&amp;priority=…]
/// without endpoint: https://BUCKET.s3.REGION.amazonaws.com/PREFIX    with one: SCHEME://ENDPOINT/BUCKET/PREFIX
/// </code>
/// A bucket with a dot in its name stands in the path everywhere: no certificate fits such a host. Source: Nix <c>s3-url.cc</c>.</remarks>
/// <param name="Base">Its address as an HTTP server.</param>
/// <param name="Region">The region, for signatures.</param>
/// <param name="Profile">The part of the credentials file that has the key; null when it does not say.</param>
/// <param name="Priority">Its priority; null when it does not say.</param>
internal sealed record BucketUrl(Uri Base, string Region, string? Profile, int? Priority)
{
    /// <summary>The region where none is named.</summary>
    public const string DefaultRegion = "us-east-1";

    private const string Scheme = "s3://";

    private static readonly string[] RegionVariables = ["AWS_REGION", "AWS_DEFAULT_REGION"];

    private static readonly string[] Known = ["region", "endpoint", "scheme", "addressing-style", "profile", "priority"];

    /// <summary>Whether a text is meant to be the address of a bucket.</summary>
    public static bool IsOne(string text) => text.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase);

    /// <summary>Reads an address.</summary>
    /// <param name="text">The address.</param>
    /// <param name="environment">Returns a variable's value: <c>AWS_REGION</c> and <c>AWS_DEFAULT_REGION</c> count where the address
    /// names no region.</param>
    /// <param name="url">The address read; null when it is none.</param>
    /// <returns>What is wrong, to follow the name of the key; null when nothing is.</returns>
    public static string? FaultOf(string text, Func<string, string?> environment, out BucketUrl? url)
    {
        url = null;
        var parts = text[Scheme.Length..].Split('?', 2);
        var path = parts[0].Split('/', 2);
        if (parts[0].Contains('@', StringComparison.Ordinal))
        {
            return "has a user name or password, which would appear in messages: remove them, and use a credentialsFile.";
        }

        if (!IsBucket(path[0]) || text.Any(letter => letter is <= ' ' or > '~' or '#' or '\\'))
        {
            return $"is '{text}'; it must be s3://BUCKET[/PREFIX], where a bucket has 3 to 63 letters, digits, '.', '-' and '_'.";
        }

        var query = Parse(parts.ElementAtOrDefault(1) ?? "");
        if (query.Find(pair => !Known.Contains(pair.Name) || query.Count(other => other.Name == pair.Name) > 1) is { Name: not null } odd)
        {
            return $"is '{text}', whose parameter '{odd.Name}' is not used here, or there twice; remove it. Used are "
                + $"{string.Join(", ", Known)}.";
        }

        string? Value(string name) => query.Find(pair => pair.Name == name).Value;
        var region = Value("region") ?? OfEnvironment(environment) ?? DefaultRegion;
        var priority = Value("priority") is { } number ? ReadPriority(number) : null;
        if (!IsRegion(region))
        {
            return $"is '{text}', whose region is '{region}'; a region has letters, digits and '-', for example {DefaultRegion}.";
        }

        if (Value("priority") is not null && priority is null)
        {
            return $"is '{text}', whose priority is '{Value("priority")}'; it must be a whole number.";
        }

        var style = Value("addressing-style") ?? "auto";
        if (!TryReadServer(Value("endpoint"), Value("scheme") ?? "https", region, out var server))
        {
            return $"is '{text}', whose endpoint or scheme is none: endpoint=HOST[:PORT] or http(s)://HOST[:PORT], scheme=https or http.";
        }

        if (style is not ("auto" or "path" or "virtual"))
        {
            return $"is '{text}', whose addressing-style is '{style}'; it must be auto, path or virtual.";
        }

        var isHost = style is "virtual"
            || (style is "auto" && Value("endpoint") is null && !path[0].Contains('.', StringComparison.Ordinal));
        url = new BucketUrl(Address(server, path[0], path.ElementAtOrDefault(1) ?? "", isHost), region, Value("profile"), priority);
        return null;
    }

    /// <summary>Returns the HTTP address of a bucket.</summary>
    /// <param name="server">The server.</param>
    /// <param name="bucket">The bucket.</param>
    /// <param name="prefix">What stands before each object's name.</param>
    /// <param name="isHost">Whether the bucket is a part of the host name, rather than of the path.</param>
    public static Uri Address(Uri server, string bucket, string prefix, bool isHost)
    {
        var path = string.Join('/', new[] { isHost ? "" : bucket, prefix.Trim('/') }.Where(part => part.Length > 0));
        return new Uri($"{server.Scheme}://{(isHost ? $"{bucket}." : "")}{server.Authority}/{path}");
    }

    /// <summary>The server of a region.</summary>
    public static Uri ServerOf(string region, string scheme = "https") =>
        new($"{scheme}://s3.{region}.amazonaws.com{(region.StartsWith("cn-", StringComparison.Ordinal) ? ".cn" : "")}");

    /// <summary>Whether a text is the name of a bucket.</summary>
    public static bool IsBucket(string text) => text.Length is >= 3 and <= 63 && char.IsAsciiLetterOrDigit(text[0])
        && char.IsAsciiLetterOrDigit(text[^1]) && !text.Contains("..", StringComparison.Ordinal)
        && text.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '-' or '_');

    /// <summary>Whether a text is the name of a region.</summary>
    public static bool IsRegion(string text) =>
        text.Length is > 0 and <= 64 && text.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-');

    /// <summary>The region that the environment names; null when it names none.</summary>
    public static string? OfEnvironment(Func<string, string?> environment) =>
        RegionVariables.Select(environment).FirstOrDefault(value => value is { Length: > 0 });

    private static bool TryReadServer(string? endpoint, string scheme, string region, [NotNullWhen(true)] out Uri? server)
    {
        server = null;
        if (scheme is not ("https" or "http"))
        {
            return false;
        }

        var text = endpoint is null ? ServerOf(region, scheme).OriginalString
            : endpoint.Contains("://", StringComparison.Ordinal) ? endpoint
            : $"{scheme}://{endpoint}";
        return ServiceUrl.FaultOf(text, UrlForms.Web, out server, out _) is null && server!.AbsolutePath is "/";
    }

    private static int? ReadPriority(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static List<(string Name, string Value)> Parse(string query) =>
    [
        .. query.Split('&', StringSplitOptions.RemoveEmptyEntries).Select(pair => pair.Split('=', 2))
            .Select(pair => (Uri.UnescapeDataString(pair[0]), Uri.UnescapeDataString(pair.ElementAtOrDefault(1) ?? ""))),
    ];
}
