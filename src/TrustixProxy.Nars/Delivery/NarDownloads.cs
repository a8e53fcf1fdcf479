using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Delivery;

/// <summary>Shares downloads: one at a time per file, for all clients and ranges. Verified downloads are kept for a while.</summary>
public sealed class NarDownloads : IAsyncDisposable
{
    /// <summary>Maximum memory of downloads without readers, in bytes.</summary>
    private const long MaxIdleMemory = 32L << 20;

    /// <summary>Maximum number of downloads without readers.</summary>
    private const int MaxIdle = 256;

    private readonly Lock _lock = new();
    private readonly DeliveryContext _context;
    private readonly Dictionary<Key, NarDownload> _current = [];
    private readonly List<NarDownload> _all = [];
    private readonly HashSet<Task> _ending = [];

    /// <param name="context">The shared dependencies; their disk space is freed by dropping idle downloads.</param>
    public NarDownloads(DeliveryContext context)
    {
        _context = context;
        _context.Space.MakeRoom = TryDropIdle;
        _context.Space.Clean();
    }

    /// <summary>Number of downloads, including idle ones.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _all.Count;
            }
        }
    }

    /// <summary>Joins the download of a file, or starts one.</summary>
    /// <param name="requested">The bytes the client asked for.</param>
    /// <param name="isApart">Whether to start a separate download in any case.</param>
    public NarDelivery Join(NarOrder order, RequestedRange requested, bool isApart = false)
    {
        var key = new Key(order.Claim.Path.Digest, order.Claim.NarHash, order.Compression, order.FileHash, order.MustMatch);
        lock (_lock)
        {
            if (!isApart && _current.TryGetValue(key, out var known))
            {
                var shared = new NarDelivery(known, requested);
                if (known.TryJoin(shared))
                {
                    UpstreamMetrics.DownloadShared();
                    return shared;
                }
            }

            var download = new NarDownload(order, _context);
            download.Idle += End;
            var delivery = new NarDelivery(download, requested);
            download.TryJoin(delivery);
            _current[key] = download;
            _all.Add(download);
            BoundIdle();
            download.Start();
            return delivery;
        }
    }

    public async ValueTask DisposeAsync()
    {
        List<Task> ending;
        lock (_lock)
        {
            ending = [.. _ending, .. _all.Select(download => download.DisposeAsync().AsTask())];
            _all.Clear();
            _current.Clear();
        }

        await Task.WhenAll(ending);
        _context.Turns.Dispose();
    }

    /// <summary>Ends a download without readers.</summary>
    private void End(NarDownload download)
    {
        lock (_lock)
        {
            if (!download.TryClose() || !_all.Remove(download))
            {
                return;
            }

            foreach (var (key, _) in _current.Where(entry => entry.Value == download).ToList())
            {
                _current.Remove(key);
            }

            var ending = download.DisposeAsync().AsTask();
            if (!ending.IsCompleted)
            {
                _ending.Add(ending);
                _ = ForgetAsync(ending);
            }
        }
    }

    private async Task ForgetAsync(Task ending)
    {
        await ending.ContinueWith(_ => { }, TaskScheduler.Default);
        lock (_lock)
        {
            _ending.Remove(ending);
        }
    }

    private bool TryDropIdle()
    {
        lock (_lock)
        {
            if (_all.Find(download => download.IsIdle) is not { } idle)
            {
                return false;
            }

            End(idle);
            return true;
        }
    }

    private void BoundIdle()
    {
        var idle = _all.FindAll(download => download.IsIdle);
        var memory = idle.Sum(download => download.Body?.Memory ?? 0);
        for (var i = 0; i < idle.Count && (memory > MaxIdleMemory || idle.Count - i > MaxIdle); i++)
        {
            memory -= idle[i].Body?.Memory ?? 0;
            End(idle[i]);
        }
    }

    private sealed record Key(StorePathDigest Path, NixHash NarHash, string Compression, NixHash FileHash, ContentAddress? MustMatch);
}
