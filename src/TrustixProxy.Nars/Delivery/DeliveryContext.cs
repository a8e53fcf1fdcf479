using Microsoft.Extensions.Logging;
using TrustixProxy.Nars.Store;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Nars.Delivery;

/// <summary>What all downloads use.</summary>
public sealed class DeliveryContext
{
    public required NarFinder Finder { get; init; }

    /// <summary>What is remembered of upstreams.</summary>
    public required BadNarMemory Marks { get; init; }

    /// <summary>What upstreams sent in the place of agreed NARs.</summary>
    public required RefusedNars Refused { get; init; }

    /// <summary>Files that need not be decompressed again.</summary>
    public required KnownFiles Known { get; init; }

    /// <summary>Where a copy is kept of what is verified; null when nothing is kept.</summary>
    public required NarStore? Store { get; init; }

    /// <summary>The disk space of all downloads.</summary>
    public required SpoolSpace Space { get; init; }

    /// <summary>One for each NAR that may be decompressed at once.</summary>
    public required SemaphoreSlim Turns { get; init; }

    /// <summary>Told of an order that no upstream could fill.</summary>
    public required Action<NarOrder> OnRefused { get; init; }

    /// <summary>How long upstreams are asked for narinfos, failed ones again, and a turn is waited for.</summary>
    public required TimeSpan Deadline { get; init; }

    /// <summary>How long a verified download stays after its last reader.</summary>
    public required TimeSpan Stay { get; init; }

    public required TimeProvider Time { get; init; }

    public required ILogger Logger { get; init; }
}
