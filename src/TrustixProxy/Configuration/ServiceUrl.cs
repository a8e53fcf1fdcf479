using System.Globalization;
using System.Net;
using System.Text;
using TrustixProxy.IO.Connecting;

namespace TrustixProxy.Configuration;

/// <summary>What an address may be beside http and https.</summary>
[Flags]
internal enum UrlForms
{
    Web = 0,

    /// <summary><c>unix:/path</c>.</summary>
    Unix = 1,

    /// <summary><c>file:///path</c>.</summary>
    Folder = 2,

    /// <summary>It may end in <c>?priority=N</c>, as in nix.conf's substituters.</summary>
    Priority = 4,

    /// <summary><c>s3://bucket</c>: see <see cref="BucketUrl"/>.</summary>
    Bucket = 8,
}

/// <summary>Reads the addresses of services: whatever in them would be lost, or shown in messages, is refused.</summary>
internal static class ServiceUrl
{
    /// <summary>The most bytes that the path of a unix socket may have.</summary>
    public const int MaxSocketPath = 107;

    private const string PriorityQuery = "?priority=";

    /// <summary>Reads an address.</summary>
    /// <param name="forms">What it may be.</param>
    /// <param name="url">The address without <c>?priority=N</c>; null when it is none.</param>
    /// <param name="priority">N; null when it does not say.</param>
    /// <returns>What is wrong, to follow the name of the key; null when nothing is.</returns>
    public static string? FaultOf(string text, UrlForms forms, out Uri? url, out int? priority)
    {
        (url, priority) = (null, null);
        if (!Uri.TryCreate(text, UriKind.Absolute, out var read) || !IsOfForm(text, read, forms))
        {
            var others =
                $"{(forms.HasFlag(UrlForms.Unix) ? ", or unix:/path" : "")}{(forms.HasFlag(UrlForms.Folder) ? ", or file:///path" : "")}"
                    + (forms.HasFlag(UrlForms.Bucket) ? ", or s3://bucket" : "");
            return $"is '{text}'; it must be an address with http:// or https://{others}.";
        }

        if (read.UserInfo.Length > 0)
        {
            return "has a user name or password, which would appear in messages: remove them. For upstreams, use a netrcFile.";
        }

        if (IsMetadataService(read))
        {
            return $"is '{text}', where clouds keep the keys of this machine: no cache is there. Give the right server.";
        }

        if (read.Fragment.Length > 0)
        {
            return $"is '{text}', whose fragment '{read.Fragment}' is never sent to a server; remove it.";
        }

        if (read.Scheme is "unix" && FaultOfSocket(PathOf(read)) is { } fault)
        {
            return fault;
        }

        if (read.Query is "?")
        {
            read = new Uri(read.GetLeftPart(UriPartial.Path));
        }

        if (read.Query.Length > 0)
        {
            if (!forms.HasFlag(UrlForms.Priority) || !TryReadPriority(read.Query, out priority))
            {
                var why = forms.HasFlag(UrlForms.Priority) ? "has more than priority=N, the only parameter used here"
                    : "is not used here";
                return $"is '{text}', whose query '{read.Query}' {why}; remove it.";
            }

            read = new Uri(read.GetLeftPart(UriPartial.Path));
        }

        url = read;
        return null;
    }

    /// <summary>Why the path of a unix socket cannot be used, to follow the name of the key; null when it can.</summary>
    public static string? FaultOfSocket(string path) => Encoding.UTF8.GetByteCount(path) is var length and > MaxSocketPath
        ? $"is '{path}', which has {length} bytes; the path of a unix socket has at most {MaxSocketPath}. Choose a shorter one."
        : null;

    /// <summary>The path of a <c>unix:</c> address.</summary>
    public static string PathOf(Uri url) => Uri.UnescapeDataString(url.AbsolutePath);

    /// <summary>Whether it is the metadata service of a cloud, which only <c>instanceRole</c> may ask.</summary>
    private static bool IsMetadataService(Uri url) => IPAddress.TryParse(url.IdnHost.Trim('[', ']').TrimEnd('.'), out var address)
        && AddressScopes.IsMetadataService(address);

    private static bool IsOfForm(string text, Uri url, UrlForms forms) =>
        (url.Scheme is "http" or "https" && url.IdnHost.Length > 0 && url.Port > 0)
        || (forms.HasFlag(UrlForms.Unix) && url.Scheme is "unix" && url.Host.Length is 0 && url.AbsolutePath is ['/', _, ..])
        || (forms.HasFlag(UrlForms.Folder) && url.IsFile && text.TrimStart().StartsWith("file:///", StringComparison.Ordinal));

    private static bool TryReadPriority(string query, out int? priority)
    {
        var isNumber = int.TryParse(query.AsSpan(Math.Min(PriorityQuery.Length, query.Length)), NumberStyles.None,
            CultureInfo.InvariantCulture, out var number);
        priority = isNumber && query.StartsWith(PriorityQuery, StringComparison.Ordinal) ? number : null;
        return priority is not null;
    }
}
