using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace TrustixProxy.IO.Buckets;

/// <summary>AWS Signature Version 4: a pure function from a request to the value of its <c>Authorization</c>.</summary>
/// <remarks>
/// <code>
/// AWS4-HMAC-SHA256 Credential=ID/20150830/REGION/SERVICE/aws4_request, SignedHeaders=host;x-amz-date, Signature=HEX
/// </code>
/// Source: AWS, "Create a signed AWS API request". As S3 has it, the path is encoded once and its dots and slashes stay.</remarks>
/// <param name="Region">The server's region.</param>
/// <param name="Service">The service: <c>s3</c>.</param>
public sealed record RequestSignature(string Region, string Service = "s3")
{
    private const string Algorithm = "AWS4-HMAC-SHA256", Terminator = "aws4_request", Day = "yyyyMMdd";

    /// <summary>The form of <c>x-amz-date</c>.</summary>
    public const string TimeFormat = "yyyyMMdd'T'HHmmss'Z'";

    /// <summary>The hash of an empty body.</summary>
    public const string NoBody = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    /// <summary>Returns the value of <c>Authorization</c>.</summary>
    /// <param name="credentials">The key.</param>
    /// <param name="time">The time that <c>x-amz-date</c> names.</param>
    /// <param name="method">The HTTP method.</param>
    /// <param name="address">The absolute URL.</param>
    /// <param name="headers">The headers to sign, with <c>host</c>.</param>
    /// <param name="bodyHash">SHA-256 of the body in lower-case hexadecimal, or a word that S3 allows in its place.</param>
    public string Sign(AwsCredentials credentials, DateTimeOffset time, string method, Uri address,
        IEnumerable<KeyValuePair<string, string>> headers, string bodyHash)
    {
        var signed = headers.Select(header => (Name: header.Key.ToLowerInvariant(), Value: Compact(header.Value)))
            .OrderBy(header => header.Name, StringComparer.Ordinal).ToList();
        var names = string.Join(';', signed.Select(header => header.Name));
        var lines = string.Concat(signed.Select(header => $"{header.Name}:{header.Value}\n"));
        var request = $"{method}\n{PathOf(address)}\n{QueryOf(address)}\n{lines}\n{names}\n{bodyHash}";
        var (day, moment) = (Text(time, Day), Text(time, TimeFormat));
        var scope = $"{day}/{Region}/{Service}/{Terminator}";
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(request)));
        var signature = Convert.ToHexStringLower(Mac(KeyOf(credentials, day), $"{Algorithm}\n{moment}\n{scope}\n{hash}"));
        return $"{Algorithm} Credential={credentials.AccessKeyId}/{scope}, SignedHeaders={names}, Signature={signature}";
    }

    /// <summary>Returns a time in the form of <c>x-amz-date</c>.</summary>
    public static string Text(DateTimeOffset time, string format = TimeFormat) =>
        time.UtcDateTime.ToString(format, CultureInfo.InvariantCulture);

    /// <summary>Returns the host as HTTP/1.1 sends it: with the port, unless it is the scheme's own.</summary>
    public static string HostOf(Uri address) =>
        address.IsDefaultPort ? BareHost(address) : string.Create(CultureInfo.InvariantCulture, $"{BareHost(address)}:{address.Port}");

    private static string BareHost(Uri address) => address.HostNameType is UriHostNameType.IPv6 ? $"[{address.IdnHost}]" : address.IdnHost;

    private byte[] KeyOf(AwsCredentials credentials, string day)
    {
        var key = Encoding.UTF8.GetBytes($"AWS4{credentials.SecretAccessKey}");
        return new[] { day, Region, Service, Terminator }.Aggregate(key, Mac);
    }

    private static byte[] Mac(byte[] key, string text) => HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text));

    private static string PathOf(Uri address) => string.Join('/', address.AbsolutePath.Split('/').Select(Encoded));

    private static string QueryOf(Uri address) => string.Join('&', address.Query.TrimStart('?')
        .Split('&', StringSplitOptions.RemoveEmptyEntries)
        .Select(pair => pair.Split('=', 2))
        .Select(pair => (Name: Encoded(pair[0]), Value: Encoded(pair.ElementAtOrDefault(1) ?? "")))
        .OrderBy(pair => pair.Name, StringComparer.Ordinal).ThenBy(pair => pair.Value, StringComparer.Ordinal)
        .Select(pair => $"{pair.Name}={pair.Value}"));

    /// <summary>Returns one spelling of a part of a URL, however it was escaped.</summary>
    private static string Encoded(string part) => Uri.EscapeDataString(Uri.UnescapeDataString(part));

    /// <summary>Returns a header's value without blanks around it, and with one for each row of them.</summary>
    private static string Compact(string value) => string.Join(' ', value.Split(' ', StringSplitOptions.RemoveEmptyEntries));
}
