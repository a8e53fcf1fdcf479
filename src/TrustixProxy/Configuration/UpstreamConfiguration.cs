using TrustixProxy.Nars.Store;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Configuration;

/// <summary>Section <c>upstreams</c> of <c>serve</c>: where NARs come from.</summary>
internal static class UpstreamConfiguration
{
    /// <summary>Reads one, with who we are to it.</summary>
    public static UpstreamOptions Read(Section section)
    {
        var name = section.Name("name", null, "\"nixos\"");
        if (name is NarStore.Name or SharedNarsOptions.Name)
        {
            section.Fault("name", $"is '{name}', which names a store of the proxy's own NARs in messages and metrics; choose another.");
        }

        var url = CommonKeys.CacheUrl(section, "url", UrlForms.Folder | UrlForms.Priority | UrlForms.Bucket, out var inUrl, out var bucket);
        var priority = section.Integer("priority", 40, 1, 1000);
        priority = section.Has("priority") ? priority : inUrl ?? priority;
        return new UpstreamOptions(name, url, priority, ReadCredentials(section, url, bucket))
        {
            Concurrency = section.Integer("concurrency", 0, 0, 100_000),
            Match = [.. CommonKeys.Globs(section, "match")],
            Except = [.. CommonKeys.Globs(section, "except")],
            Tls = TlsKeys.Read(section, url),
            NarDeadline = section.Time("narDeadline", TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10)),
        };
    }

    private static UpstreamCredentials? ReadCredentials(Section section, Uri url, BucketUrl? bucket)
    {
        const string netrcKey = "netrcFile", bearerKey = "bearerFile";
        var (netrc, bearer) = (section.Text(netrcKey), section.Text(bearerKey));
        var ofBucket = new BucketCredentials(section, Environment.GetEnvironmentVariable);
        if (bucket is not null)
        {
            if ((netrc ?? bearer) is not null)
            {
                section.Fault(netrc is null ? bearerKey : netrcKey, "is set for an s3:// address, to which requests are signed; use "
                    + "credentialsFile.");
            }

            return ofBucket.Read(bucket.Profile, bucket.Region) is { } signer ? UpstreamCredentials.Signing(signer) : null;
        }

        ofBucket.RefuseWithoutBucket();
        if (netrc is not null && bearer is not null)
        {
            section.Fault(bearerKey, $"is set together with {netrcKey}; an upstream uses one of them.");
        }

        if ((netrc ?? bearer) is not null && url.IsFile)
        {
            section.Fault(netrc is null ? bearerKey : netrcKey, "is set for a folder, which needs no credentials; remove it.");
        }
        else if (netrc is not null && KeyFile.ReadPrivate(section, netrcKey, netrc, NetrcFile.MaxSize) is { } text)
        {
            if (NetrcFile.TryFind(text, url.IdnHost, out var credentials, out var fault))
            {
                return credentials;
            }

            section.Fault(netrcKey, $"is '{netrc}', {fault}");
        }
        else if (bearer is not null && KeyFile.ReadToken(section, bearerKey, bearer) is { } token)
        {
            return UpstreamCredentials.Bearer(token);
        }

        return null;
    }

    /// <summary>What is allowed but weaker than it may look.</summary>
    public static IEnumerable<string> Warnings(UpstreamOptions upstream)
    {
        foreach (var warning in TlsKeys.Warnings($"upstreams: '{upstream.Name}'", upstream.Tls))
        {
            yield return warning;
        }

        if (upstream is { Credentials: { Header: not null } credentials, Url: { Scheme: "http", IsLoopback: false } })
        {
            yield return $"upstreams: '{upstream.Name}' is sent its {credentials} credentials over unencrypted http. Use https.";
        }
    }
}
