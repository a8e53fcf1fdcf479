using TrustixProxy.AptGate.Delivery;
using TrustixProxy.AptGate.Storage;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.AptGate.Serving;

/// <summary>Finds the bytes of a file by its SHA-256: in the store, else at an archive.</summary>
/// <param name="store">Keeps files.</param>
/// <param name="fetches">Fetches files.</param>
internal sealed class GateFiles(FileStore store, FileFetches fetches)
{
    /// <summary>Opens a file that the store has; null when it has it not.</summary>
    public async ValueTask<FileContent?> OpenStoredAsync(Digest sha256, CancellationToken cancellation) =>
        await store.FindAsync(sha256, cancellation) is { } stored ? new FileContent(stored) : null;

    /// <summary>Whether the store has a file.</summary>
    public bool Holds(Digest sha256) => store.Holds(sha256);

    /// <summary>Begins to fetch a file, or joins those who fetch it. The caller leaves it.</summary>
    public FileFetch Fetch(FileOrder order) => fetches.Join(order);

    /// <summary>Opens a file from the store or its archive.</summary>
    /// <returns>The content, which the caller disposes; or why there is none.</returns>
    public async Task<(FileContent? Content, FetchStart Start)> OpenAsync(FileOrder order, CancellationToken cancellation)
    {
        if (await OpenStoredAsync(order.Sha256!.Value, cancellation) is { } stored)
        {
            return (stored, new FetchStart(200, stored.Length, stored.ModifiedAt));
        }

        var fetch = fetches.Join(order);
        try
        {
            var start = await fetch.Started.WaitAsync(cancellation);
            if (start is { Status: 200, Length: null })
            {
                var end = await fetch.Ended.WaitAsync(cancellation); // only the end tells how long it is
                start = end.Fault is null ? start with { Length = end.Length } : new FetchStart(502, null, null, end.Fault);
            }

            if (start.Status is 200)
            {
                var content = new FileContent(fetch, start.Length!.Value, start.ModifiedAt);
                fetch = null;
                return (content, start);
            }

            return (null, start);
        }
        finally
        {
            fetch?.Leave();
        }
    }
}
