using System.Collections.Concurrent;
using TrustixProxy.AptGate.Storage;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.AptGate.Delivery;

/// <summary>All running fetches. Clients that ask for the same file share one.</summary>
/// <param name="store">Keeps what was fetched.</param>
public sealed class FileFetches(FileStore store, TimeProvider time)
{
    private static readonly TimeSpan[] Pauses = [.. new[] { 250, 500, 1000, 2000 }.Select(pause => TimeSpan.FromMilliseconds(pause))];

    private readonly ConcurrentDictionary<(string Archive, string Path, Digest? Sha256), FileFetch> _underway = new();

    /// <summary>Joins the fetch of a file, or begins it. The caller leaves it.</summary>
    public FileFetch Join(FileOrder order)
    {
        var key = (order.Archive.Options.Name, order.Path, order.Sha256);
        while (true)
        {
            FileFetch? own = null;
            var fetch = _underway.GetOrAdd(key, _ => own = new FileFetch(order, store, time, Pauses));
            var isEntered = fetch.TryEnter();
            if (own == fetch)
            {
                _ = RunAsync(key, fetch);
            }

            if (isEntered)
            {
                return fetch;
            }

            _underway.TryRemove(KeyValuePair.Create(key, fetch)); // abandoned a moment ago
        }
    }

    private async Task RunAsync((string, string, Digest?) key, FileFetch fetch)
    {
        await Task.Yield();
        await fetch.RunAsync();
        _underway.TryRemove(KeyValuePair.Create(key, fetch));
    }
}
