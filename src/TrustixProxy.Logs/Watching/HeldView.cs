using Google.Protobuf;
using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Storage;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Logs.Watching;

/// <summary>The view of a log that this process holds, on disk and in memory.</summary>
/// <param name="name">The log's name.</param>
/// <param name="key">The log's key.</param>
/// <param name="store">Keeps the view on disk.</param>
/// <param name="logger">Logs what the disk refuses.</param>
internal sealed class HeldView(string name, LogKey key, ViewStore store, TimeProvider time, ILogger logger)
{
    /// <summary>The timestamp of a view that this process did not fetch: it is never fresh.</summary>
    public const long LongAgo = long.MinValue / 2;

    private volatile Seen? _seen = Start(store, key);

    /// <summary>Guards every change of the view and of the freeze flag.</summary>
    public Lock Turn { get; } = new();

    /// <summary>The view; null when there is none yet.</summary>
    public LogView? View => _seen?.View;

    /// <summary>The size of the view's tree; -1 when there is no view.</summary>
    public long TreeSize => View?.Head.Content.TreeSize ?? -1;

    /// <summary>The bytes that the disk keeps for a view.</summary>
    public static byte[] BytesOf(LogView view) => view.Head.ToMessage().ToByteArray();

    /// <summary>Whether the view was seen at or after a timestamp.</summary>
    public bool IsSeenSince(long timestamp) => _seen?.At >= timestamp;

    /// <summary>The view if it was seen at or after a timestamp; null otherwise.</summary>
    public LogView? FindSince(long timestamp) => _seen is { } seen && seen.At >= timestamp ? seen.View : null;

    /// <summary>The timestamp of a moment this long ago; earlier than every view when <paramref name="age"/> is infinite.</summary>
    public long TimestampBefore(TimeSpan age) =>
        age == Timeout.InfiniteTimeSpan ? long.MinValue : time.GetTimestamp() - (long)(age.TotalSeconds * time.TimestampFrequency);

    /// <summary>Reads what the disk keeps of the log. Another process may have written it.</summary>
    public StoredView Load() => store.Load(key);

    /// <summary>Reports that what the disk keeps does not bear the log's signature.</summary>
    public void ReportDamage() => logger.ViewDamaged(name);

    /// <summary>Begins again with what the disk keeps. The caller holds <see cref="Turn"/>.</summary>
    public void Restart() => _seen = Start(store, key);

    /// <summary>Replaces a view with one that continues it, on disk and in memory; false when the view has moved meanwhile.</summary>
    /// <remarks>The only way by which a view moves. The caller holds <see cref="Turn"/>, and the log is not frozen.</remarks>
    /// <param name="known">The view that the new one continues; null for a first view.</param>
    /// <param name="stored">The bytes that the disk is known to have.</param>
    /// <param name="at">When the new view was asked for, as a timestamp of the clock.</param>
    public bool TryReplace(LogView? known, LogView next, byte[]? stored, long at)
    {
        if (View is { } moved && moved != known && moved.Head.Content == next.Head.Content)
        {
            return true; // another answer with the same head was faster
        }

        var isStored = stored is not null && stored.AsSpan().SequenceEqual(BytesOf(next));
        if (View != known || !(isStored || TryStore(stored, next)))
        {
            return false;
        }

        _seen = new Seen(next, Math.Max(at, _seen?.At ?? at));
        return true;
    }

    private static Seen? Start(ViewStore store, LogKey key) => store.Load(key).View is { } view ? new Seen(view, LongAgo) : null;

    /// <summary>Writes a view. When the disk refuses, this process still holds the log to what it has seen.</summary>
    private bool TryStore(byte[]? stored, LogView next)
    {
        var isSwapped = true;
        if (DiskRefusal.Of(() => isSwapped = store.TrySwap(stored, next)) is { } refusal)
        {
            logger.ViewNotKept(name, refusal);
        }

        return isSwapped;
    }

    /// <param name="At">When its head was asked for, as a timestamp of the clock.</param>
    private sealed record Seen(LogView View, long At);
}
