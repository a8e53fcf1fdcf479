using Microsoft.Extensions.Logging;
using TrustixProxy.Nars.Store;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Nars.Delivery;

/// <summary>The dependencies and limits that all downloads share.</summary>
public sealed class DeliveryContext
{
    public required NarFinder Finder { get; init; }

    /// <summary>Remembers which upstreams gave bad NARs.</summary>
    public required BadNarMemory BadNars { get; init; }

    /// <summary>Records what upstreams sent instead of agreed NARs.</summary>
    public required RefusedNars Refused { get; init; }

    /// <summary>Counts what clients were given, for display; null when nobody looks.</summary>
    public NarHistory? Given { get; init; }

    /// <summary>Remembers files that need not be decompressed again.</summary>
    public required KnownFiles Known { get; init; }

    /// <summary>Stores copies of verified NARs; null when none are kept.</summary>
    public required NarStore? Store { get; init; }

    /// <summary>The bucket in which replicas share NARs; null without one.</summary>
    public Upstream? Shared { get; init; }

    /// <summary>Limits the disk space of all downloads together.</summary>
    public required SpoolSpace Space { get; init; }

    /// <summary>Limits the number of NARs decompressed at once.</summary>
    public required SemaphoreSlim Turns { get; init; }

    /// <summary>Called with an order that no upstream could fill.</summary>
    public required Action<NarOrder> OnRefused { get; init; }

    /// <summary>Maximum time to ask upstreams for narinfos, to retry failed ones, and to wait for a slot.</summary>
    public required TimeSpan Deadline { get; init; }

    /// <summary>How long a verified download is kept after its last reader leaves.</summary>
    public required TimeSpan Stay { get; init; }

    public required TimeProvider Time { get; init; }

    public required ILogger Logger { get; init; }
}
