using System.Net;
using System.Net.Http.Headers;

namespace TrustixProxy.IO.Connecting;

/// <summary>Serves a cache in a folder (<c>file://</c>, as <c>nix copy --to</c> writes it) like one behind HTTP. No address reaches outside
/// the folder; links within it are its owner's.</summary>
/// <param name="folder">The folder's absolute path.</param>
public sealed class FolderTransport(string folder) : HttpMessageHandler
{
    private readonly string _folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)) + Path.DirectorySeparatorChar;

    /// <summary>The base of its files' addresses: a name that never resolves.</summary>
    public static Uri Base { get; } = new("http://folder.invalid/");

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        Task.Run(() => Answer(request), cancellationToken);

    private HttpResponseMessage Answer(HttpRequestMessage request)
    {
        try
        {
            return FileOf(request.RequestUri!) is { } path && Open(path) is { } file ? Send(file, request.Headers.Range)
                : new HttpResponseMessage(HttpStatusCode.NotFound);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return !Directory.Exists(_folder) || exception is not (FileNotFoundException or DirectoryNotFoundException)
                ? throw new FolderUnavailableException($"{_folder}: {exception.Message}", exception) // not mounted, say: it may have it
                : new HttpResponseMessage(HttpStatusCode.NotFound);
        }
    }

    /// <summary>Returns the file for an address; null when the address leads out of the folder.</summary>
    private string? FileOf(Uri address)
    {
        if (address.Authority != Base.Authority)
        {
            return null;
        }

        var name = Uri.UnescapeDataString(address.AbsolutePath).TrimStart('/');
        var path = name.Contains('\0', StringComparison.Ordinal) ? null : Path.GetFullPath(Path.Combine(_folder, name));
        return path?.StartsWith(_folder, StringComparison.Ordinal) is true ? path : null;
    }

    /// <summary>Opens a file with contents. Anything without (a folder, a pipe, a device) is not a cache file and is not opened.</summary>
    private static FileStream? Open(string path) => new FileInfo(path) switch
    {
        { Exists: false } => throw new FileNotFoundException(null, path),
        var file => (file.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? file).Length > 0
            ? new FileStream(path, new FileStreamOptions
            {
                Share = FileShare.ReadWrite | FileShare.Delete,
                Options = FileOptions.Asynchronous | FileOptions.SequentialScan
            })
            : null,
    };

    private static HttpResponseMessage Send(FileStream file, RangeHeaderValue? range)
    {
        var (length, start) = (file.Length, range?.Ranges.Single().From ?? 0);
        file.Position = Math.Min(start, length);
        var response = new HttpResponseMessage(
            start > 0 ? HttpStatusCode.PartialContent : HttpStatusCode.OK)
        { Content = new StreamContent(file) };
        response.Content.Headers.ContentLength = length - file.Position;
        if (start > 0 && start < length)
        {
            response.Content.Headers.ContentRange = new ContentRangeHeaderValue(start, length - 1, length);
        }

        return response;
    }
}

/// <summary>Signals a folder that cannot be read, for example because it is not mounted: its contents are unknown.</summary>
public sealed class FolderUnavailableException(string message, Exception inner) : IOException(message, inner);
