namespace TrustixProxy.IO.Buckets;

/// <summary>Signs requests to an S3-compatible server with a fixed key, or with those of this machine's role.</summary>
public sealed class BucketSigner
{
    private const string Authorization = "Authorization", Prefix = "x-amz-", Date = "x-amz-date", BodyHash = "x-amz-content-sha256",
        Token = "x-amz-security-token", PresignedMark = "X-Amz-Signature=";

    private readonly AwsCredentials? _credentials;
    private readonly InstanceRole? _role;
    private readonly RequestSignature _signature;

    private BucketSigner(AwsCredentials? credentials, InstanceRole? role, string region) =>
        (_credentials, _role, _signature) = (credentials, role, new RequestSignature(region));

    /// <summary>Signs with a fixed key.</summary>
    public static BucketSigner Of(AwsCredentials credentials, string region) => new(credentials, null, region);

    /// <summary>Signs with the temporary keys of this machine's role.</summary>
    public static BucketSigner Of(InstanceRole role, string region) => new(null, role, region);

    /// <summary>Signs a request for its current address, which it then fits alone.</summary>
    /// <param name="request">The request; an earlier signature is replaced.</param>
    /// <param name="bodyHash">SHA-256 of its body in lower-case hexadecimal.</param>
    /// <param name="now">The time of the signature, which servers accept for 15 minutes.</param>
    /// <param name="cancellation">Ends the wait for a temporary key.</param>
    /// <exception cref="NoInstanceRoleException">This machine's role gives no key.</exception>
    public async ValueTask SignAsync(HttpRequestMessage request, string bodyHash, DateTimeOffset now, CancellationToken cancellation)
    {
        var credentials = _credentials ?? await _role!.GetAsync(cancellation);
        Unsign(request);
        var headers = request.Headers;
        headers.Add(Date, RequestSignature.Text(now));
        headers.Add(BodyHash, bodyHash);
        if (credentials.SessionToken is { } token)
        {
            headers.Add(Token, token);
        }

        var address = request.RequestUri!;
        var signed = headers.NonValidated.Where(header => header.Key.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
            .Select(header => KeyValuePair.Create(header.Key, header.Value.ToString()))
            .Append(KeyValuePair.Create("host", RequestSignature.HostOf(address)));
        headers.TryAddWithoutValidation(Authorization,
            _signature.Sign(credentials, now, request.Method.Method, address, signed, bodyHash));
    }

    /// <summary>Removes a signature, before the request goes elsewhere.</summary>
    public static void Unsign(HttpRequestMessage request)
    {
        foreach (var header in new[] { Authorization, Date, BodyHash, Token })
        {
            request.Headers.Remove(header);
        }
    }

    /// <summary>Whether an address carries a signature itself: then servers refuse a second one.</summary>
    public static bool IsPresigned(Uri address) => address.Query.Contains(PresignedMark, StringComparison.OrdinalIgnoreCase);

    /// <summary>Returns the kind of the key, never the key.</summary>
    public override string ToString() => $"{_credentials?.ToString() ?? "instance role's S3"}";
}
