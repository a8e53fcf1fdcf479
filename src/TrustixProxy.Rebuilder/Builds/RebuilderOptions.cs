using System.Collections.Immutable;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;

namespace TrustixProxy.Rebuilder.Builds;

/// <summary>Where the inputs of builds come from.</summary>
public enum InputSource
{
    /// <summary>Only from the configured substituter, usually the local proxy.</summary>
    Proxy,

    /// <summary>They are built here, too, down to what content addresses fix.</summary>
    Build,
}

/// <summary>Configures <c>trustix-proxy rebuild</c>.</summary>
public sealed record RebuilderOptions
{
    /// <summary>The rebuilder's name.</summary>
    public required string Name { get; init; }

    /// <summary>The folder of its own store and its records.</summary>
    public required string Store { get; init; }

    /// <summary>The spool from which <c>publish</c> submits results.</summary>
    public required string SpoolDirectory { get; init; }

    /// <summary>The operations listeners whose work lists it takes.</summary>
    public ImmutableArray<Uri> Wanted { get; init; } = [];

    /// <summary>The bearer token for those; null for none.</summary>
    public string? WantedToken { get; init; }

    /// <summary>The files and flake references in which it finds derivations.</summary>
    public ImmutableArray<string> Expressions { get; init; } = [];

    /// <summary>Where the inputs of builds come from.</summary>
    public InputSource Inputs { get; init; }

    /// <summary>The only cache that inputs are fetched from.</summary>
    public required Uri Substituter { get; init; }

    /// <summary>The keys whose signatures it accepts on inputs.</summary>
    public ImmutableArray<NixPublicKey> PublicKeys { get; init; } = [];

    /// <summary>Maximum number of builds at once.</summary>
    public int Jobs { get; init; } = 1;

    /// <summary>Maximum time of one build, and of fetching its inputs.</summary>
    public TimeSpan Time { get; init; } = TimeSpan.FromHours(2);

    /// <summary>Maximum disk space of one build, in bytes.</summary>
    public long Disk { get; init; } = 20L << 30;

    /// <summary>Maximum disk space of the store, in bytes.</summary>
    public long TotalDisk { get; init; } = 100L << 30;

    /// <summary>How often a failed build is tried again.</summary>
    public int Retries { get; init; } = 2;

    /// <summary>Pause before the first retry; it doubles with each.</summary>
    public TimeSpan Backoff { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>Time between two looks at the work lists.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Selects the paths that are rebuilt and published, by name.</summary>
    public NameFilter Filter { get; init; } = NameFilter.All;

    /// <summary>The systems it builds for.</summary>
    public ImmutableArray<string> Systems { get; init; } = [];

    /// <summary>Tells it from others: those of one machine may have one name, but have stores of their own.</summary>
    public string Identity => $"{Name} {Store}";

    /// <summary>The folder of its records.</summary>
    public string RecordFolder => Records.RecordFolder.In(Store);
}
