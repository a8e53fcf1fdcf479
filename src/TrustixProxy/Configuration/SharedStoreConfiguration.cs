using TrustixProxy.IO.Connecting;
using TrustixProxy.Nars.Store;
using TrustixProxy.Nix;

namespace TrustixProxy.Configuration;

/// <summary>Section <c>narStore.s3</c>: the bucket in which replicas share verified NARs.</summary>
internal static class SharedStoreConfiguration
{
    private const string Key = "s3", UrlKey = "url", BucketKey = "bucket", PrefixKey = "prefix", RegionKey = "region";

    private static readonly TimeSpan LeastAge = TimeSpan.FromHours(1), Age = TimeSpan.FromDays(90), MostAge = TimeSpan.FromDays(3650);

    /// <summary>What its keys are for.</summary>
    public static readonly Dictionary<string, KeyMeaning> Meanings = new()
    {
        [UrlKey] = new("Server of the bucket in which replicas share verified NARs.")
        { Range = "http(s)://host[:port]", Default = "the region's server of AWS" },
        [BucketKey] = new("Bucket that replicas share. The proxy uploads to it, and never trusts what is in it."),
        [PrefixKey] = new("What stands before each object's name.") { Default = "none" },
        [RegionKey] = new("Region, for signatures.") { Default = "`AWS_REGION`, else `us-east-1`" },
        ["credentialsFile"] = new("As `upstreams[].credentialsFile`.") { Type = "path", Default = "none" },
        ["instanceRole"] = new("As `upstreams[].instanceRole`.") { Default = "`false`" },
        ["maxSize"] = "Size down to which `nar-store gc` deletes the oldest objects.",
        ["maxAge"] = "Age beyond which `nar-store gc` deletes objects.",
    };

    /// <summary>Reads it; null when it is not there.</summary>
    /// <param name="section">The section <c>narStore</c>.</param>
    /// <param name="store">The store that the NARs' paths are in.</param>
    /// <param name="proxies">Selects the HTTP proxy.</param>
    public static SharedNarsOptions? Read(Section section, Store store, HttpProxies proxies)
    {
        var s3 = section.Object(Key);
        if (!section.Has(Key))
        {
            return null;
        }

        if (store == Store.Guix && !section.IsDescribed)
        {
            section.Fault(Key, $"is set, and \"store\" is \"{Store.Guix}\", whose NARs are kept on disk only; remove it.");
        }

        var (bucket, prefix) = (s3.Required(BucketKey, "\"nars\""), s3.Text(PrefixKey)?.Trim('/') ?? "");
        var region = s3.Text(RegionKey) ?? BucketUrl.OfEnvironment(Environment.GetEnvironmentVariable) ?? BucketUrl.DefaultRegion;
        var url = s3.Has(UrlKey) ? CommonKeys.Url(s3, UrlKey, UrlForms.Web, out _) : null;
        if (bucket.Length > 0 && !BucketUrl.IsBucket(bucket))
        {
            s3.Fault(BucketKey, $"is '{bucket}'; a bucket has 3 to 63 letters, digits, '.', '-' and '_'.");
            bucket = "";
        }

        if (!BucketUrl.IsRegion(region))
        {
            s3.Fault(RegionKey, $"is '{region}'; a region has letters, digits and '-', for example {BucketUrl.DefaultRegion}.");
            region = BucketUrl.DefaultRegion;
        }

        if (!IsPrefix(prefix))
        {
            s3.Fault(PrefixKey, $"is '{prefix}'; it must be names of letters, digits, '-', '_' and '.', with '/' between them.");
            prefix = "";
        }

        var signer = new BucketCredentials(s3, Environment.GetEnvironmentVariable).Read(null, region);
        var isHost = url is null && !bucket.Contains('.', StringComparison.Ordinal);
        var root = bucket.Length is 0 ? new Uri("http://invalid.invalid")
            : BucketUrl.Address(url ?? BucketUrl.ServerOf(region), bucket, "", isHost);
        return new SharedNarsOptions(root, prefix, signer, s3.Size("maxSize", "1TiB"), s3.Time("maxAge", Age, LeastAge, MostAge))
        {
            Proxies = proxies,
        };
    }

    private static bool IsPrefix(string text) => text.Length is 0 || (text.Length <= 512 && text.Split('/').All(part =>
        part is not ("" or "." or "..") && part.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.')));
}
