using System.Globalization;

namespace TrustixProxy.IO.Buckets;

/// <summary>Reads a page of a bucket's listing: foreign text, of which only entries in the usual form are used.</summary>
/// <remarks>Source: Amazon S3 API reference, <c>ListObjectsV2</c>. Names that need escapes in XML are left out: ours have none.</remarks>
internal static class BucketListing
{
    /// <summary>Returns the objects of a page.</summary>
    /// <param name="page">The page, as XML.</param>
    /// <param name="prefix">What stands before each name; entries without it are left out.</param>
    public static IEnumerable<BucketObject> Read(string page, string prefix)
    {
        foreach (var entry in page.Split("<Contents>").Skip(1).Select(part => part.Split("</Contents>", 2)[0]))
        {
            var (key, size, at) = (Inner(entry, "Key"), Inner(entry, "Size"), Inner(entry, "LastModified"));
            if (key?.StartsWith(prefix, StringComparison.Ordinal) is true && !key.Contains('&', StringComparison.Ordinal)
                && long.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out var length)
                && DateTimeOffset.TryParse(at, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
            {
                yield return new BucketObject(key[prefix.Length..], length, time);
            }
        }
    }

    /// <summary>Returns what asks for the next page; null when this is the last.</summary>
    public static string? NextOf(string page) => Inner(page, "IsTruncated") is "true" ? Inner(page, "NextContinuationToken") : null;

    private static string? Inner(string text, string name)
    {
        var open = $"<{name}>";
        var start = text.IndexOf(open, StringComparison.Ordinal);
        var end = start < 0 ? -1 : text.IndexOf('<', start + open.Length);
        return end < 0 ? null : text[(start + open.Length)..end];
    }
}
