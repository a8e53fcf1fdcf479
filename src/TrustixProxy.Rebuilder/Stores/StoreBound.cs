using System.Collections.Concurrent;
using System.Globalization;

namespace TrustixProxy.Rebuilder.Stores;

/// <summary>Bounds the disk space of a whole store while commands fill it.</summary>
/// <param name="measure">Measures the store.</param>
/// <param name="most">Maximum size in bytes.</param>
internal sealed class StoreBound(Func<CancellationToken, Task<long>> measure, long most)
{
    private readonly ConcurrentDictionary<NixBounds, long> _uses = new(ReferenceEqualityComparer.Instance);

    /// <summary>Returns why a command must end: the store is too large, and no other running command uses more. Null while it may go
    /// on.</summary>
    /// <param name="command">The command's bounds.</param>
    /// <param name="use">Bytes that it uses.</param>
    public async Task<string?> LookAsync(NixBounds command, long use, CancellationToken cancellation)
    {
        _uses[command] = use;
        var size = use >= _uses.Values.Max() ? await measure(cancellation) : 0;
        return size > most ? string.Create(CultureInfo.InvariantCulture,
            $"the store has {size} bytes, more than {most} (rebuilder.totalDisk); what is done with most of it waits") : null;
    }

    /// <summary>A command has ended.</summary>
    public void End(NixBounds command) => _uses.TryRemove(command, out _);
}
