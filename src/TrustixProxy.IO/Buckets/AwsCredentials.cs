namespace TrustixProxy.IO.Buckets;

/// <summary>An access key that signs requests to an S3-compatible server.</summary>
/// <param name="AccessKeyId">Names the key; sent with each request.</param>
/// <param name="SecretAccessKey">Never sent.</param>
/// <param name="SessionToken">Sent with each request made by a temporary key; null for a lasting one.</param>
public sealed record AwsCredentials(string AccessKeyId, string SecretAccessKey, string? SessionToken = null)
{
    /// <summary>Returns the kind, never the key.</summary>
    public override string ToString() => SessionToken is null ? "S3" : "temporary S3";
}
