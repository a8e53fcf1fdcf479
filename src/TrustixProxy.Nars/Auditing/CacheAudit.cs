using System.Collections.Concurrent;
using System.Threading.Channels;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Auditing;

/// <summary>What an audit came to.</summary>
/// <param name="Right">Number of paths whose NARs are what their narinfos say.</param>
/// <param name="Earlier">How many of them an earlier run has checked.</param>
/// <param name="Others">All other paths that were asked for, in order.</param>
/// <param name="Left">Number of paths not checked, because the cache went away or the run was stopped.</param>
public sealed record CacheAuditResult(int Right, int Earlier, IReadOnlyList<AuditedPath> Others, int Left);

/// <summary>Checks that the NARs of a binary cache are what its narinfos say.</summary>
public sealed class CacheAudit : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30), FirstPause = TimeSpan.FromMilliseconds(250),
        LongestPause = TimeSpan.FromSeconds(8);

    private readonly AuditDemands _demands;
    private readonly AuditState? _state;
    private readonly TimeProvider _time;
    private readonly Upstream _cache;
    private readonly PathAudit _path;
    private readonly Channel<StorePath> _waiting = Channel.CreateUnbounded<StorePath>();
    private readonly ConcurrentDictionary<StorePath, AuditedPath?> _paths = new();
    private int _open, _right, _earlier, _left;
    private volatile bool _isGivenUp;

    /// <param name="demands">What is audited, and how.</param>
    /// <param name="state">What earlier runs have checked; null to check everything.</param>
    public CacheAudit(AuditDemands demands, AuditState? state, TimeProvider time)
    {
        (_demands, _state, _time) = (demands, state, time);
        var rate = new ByteRate(demands.Rate, time);
        var silence = demands.Cache.NarDeadline + (2 * rate.LongestWait(demands.Parallel));
        _cache = new Upstream(demands.Cache with { NarDeadline = silence }, Timeout, time);
        _path = new PathAudit(_cache, new NarAudit(_cache, demands, rate, time), rate, narInfo => Follow(narInfo.References));
    }

    /// <summary>Checks each path once, and their references if that is demanded. A stopped run returns what it has found.</summary>
    /// <param name="onChecked">Called after each path with the number checked and the number known.</param>
    /// <exception cref="IOException">The state cannot be written.</exception>
    public async Task<CacheAuditResult> RunAsync(
        IReadOnlyCollection<StorePath> paths, Action<int, int> onChecked, CancellationToken cancellation)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Interlocked.Increment(ref _open);
        Add(paths);
        Close();
        try
        {
            await Task.WhenAll(Enumerable.Range(0, _demands.Parallel).Select(_ => WorkAsync(onChecked, end)));
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            _left += Volatile.Read(ref _open);
        }

        _state?.Save();
        var others = _paths.Values.OfType<AuditedPath>().Where(path => path.Verdict is not AuditVerdict.Right);
        return new CacheAuditResult(_right, _earlier, [.. others.OrderBy(path => path.Path)], _left);
    }

    /// <inheritdoc/>
    public void Dispose() => _cache.Dispose();

    private async Task WorkAsync(Action<int, int> onChecked, CancellationTokenSource end)
    {
        try
        {
            await foreach (var path in _waiting.Reader.ReadAllAsync(end.Token))
            {
                if (_isGivenUp)
                {
                    Interlocked.Increment(ref _left);
                }
                else
                {
                    Conclude(await CheckAsync(path, end.Token));
                }

                Close();
                onChecked(_paths.Count - Volatile.Read(ref _open), _paths.Count);
            }
        }
        catch
        {
            await end.CancelAsync(); // the other workers would wait for more paths forever
            throw;
        }
    }

    private void Add(IEnumerable<StorePath> paths)
    {
        foreach (var path in paths.Where(path => _paths.TryAdd(path, null)))
        {
            Interlocked.Increment(ref _open);
            _waiting.Writer.TryWrite(path);
        }
    }

    /// <summary>Notes that a path, or the list of the first ones, is done. The last one ends the run.</summary>
    private void Close()
    {
        if (Interlocked.Decrement(ref _open) is 0)
        {
            _waiting.Writer.Complete();
        }
    }

    private void Conclude(AuditedPath path)
    {
        _paths[path.Path] = path;
        if (path.Verdict is AuditVerdict.Right)
        {
            Interlocked.Increment(ref _right);
        }

        _isGivenUp |= path.Why is not null && _cache.IsDown;
    }

    /// <summary>Checks a path, again and again while the cache fails or asks for a pause.</summary>
    private async Task<AuditedPath> CheckAsync(StorePath path, CancellationToken cancellation)
    {
        if (_state?.Find(path) is { } references)
        {
            Interlocked.Increment(ref _earlier);
            Follow(references);
            return new AuditedPath(path, AuditVerdict.Right, []);
        }

        var start = _time.GetTimestamp();
        for (var pause = FirstPause; ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            var tried = await _path.TryAsync(path, cancellation);
            if (tried is { Path.Verdict: AuditVerdict.Right, NarInfo: { } narInfo })
            {
                _state?.Add(narInfo);
            }

            if (!tried.MayChange || _isGivenUp || _time.GetElapsedTime(start) + pause > _demands.Patience)
            {
                return tried.Path;
            }

            await Task.Delay(pause, _time, cancellation);
        }
    }

    private void Follow(IEnumerable<StorePath> references)
    {
        if (_demands.IsOfClosure)
        {
            Add(references);
        }
    }
}
