using TrustixProxy.Configuration;
using TrustixProxy.Consensus;

namespace TrustixProxy.Setup;

/// <summary>What a configuration is for.</summary>
internal enum Preset
{
    /// <summary>A signed cache's own word is needed, and any log that proves another output refuses. Works without a log.</summary>
    Watch,

    /// <summary>A majority of logs that others run.</summary>
    Home,

    /// <summary>A majority of one's own builders and the public cache, for many clients.</summary>
    Organisation,

    /// <summary>A log of what this machine builds, and the publisher that feeds it.</summary>
    Builder,

    /// <summary>A signed cache and some of the rebuilders that confirm it; at first only reported.</summary>
    SecondVoice,

    /// <summary>Only content-addressed paths; nobody votes.</summary>
    Sources,

    /// <summary>GNU Guix's two official build farms, which must agree.</summary>
    Farms,
}

/// <summary>The presets' names on command lines.</summary>
internal static class PresetNames
{
    /// <summary>All names in one sentence.</summary>
    public static string All { get; } = "watch, home, organisation, builder, second-voice, sources or farms";

    public static bool TryParse(string text, out Preset preset)
    {
        var index = Array.FindIndex(
            Enum.GetValues<Preset>(), value => Kebab.Of(value).Equals(text, StringComparison.OrdinalIgnoreCase));
        preset = (Preset)index;
        return index >= 0;
    }
}

/// <summary>Who votes, as it is named on a command line.</summary>
/// <param name="Key">A log's key, or a cache's as <c>name:base64</c>.</param>
internal sealed record Voter(string Name, string Url, string Key)
{
    public static Voter CacheNixosOrg { get; } = new(
        "cache.nixos.org", "https://cache.nixos.org", CommonKeys.CacheNixosOrg);

    /// <summary>GNU Guix's official build farms, with the keys that Guix ships.</summary>
    public static IReadOnlyList<Voter> Farms { get; } =
    [
        new("ci", "https://ci.guix.gnu.org", KeyOf("8D156F295D24B0D9A86FA5741A840FF2D24F60F7B6C4134814AD55625971B394")),
        new("bordeaux", "https://bordeaux.guix.gnu.org", KeyOf("7D602902D3A2DBB83F8A0FB98602A754C5493B0B778C8D1DD4E0F41DE14DE34F")),
    ];

    private static string KeyOf(string point) => $"(public-key (ecc (curve Ed25519) (q #{point}#)))";

    /// <summary>Reads <c>NAME,URL,KEY</c>. What the three are is for the configuration's reader to judge.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out Voter? voter)
    {
        voter = text.Split(',') is [{ Length: > 0 } name, { Length: > 0 } url, { Length: > 0 } key] ? new Voter(name, url, key) : null;
        return voter is not null;
    }

    public override string ToString() => $"{Name},{Url},{Key}";
}

/// <summary>What <c>init</c> has been told.</summary>
internal sealed record SetupAnswers
{
    public required Preset Preset { get; init; }

    /// <summary>Where files go; absolute.</summary>
    public required string Directory { get; init; }

    /// <summary>The logs that vote.</summary>
    public required IReadOnlyList<Voter> Logs { get; init; }

    /// <summary>The rebuilders that vote, with confirmed keys.</summary>
    public IReadOnlyList<Voter> Rebuilders { get; init; } = [];

    /// <summary>The cache that NARs come from, and that votes in some presets.</summary>
    public Voter Cache { get; init; } = Voter.CacheNixosOrg;

    /// <summary>Whether farms' disagreements are only reported at first.</summary>
    public bool Reports { get; init; }

    /// <summary>How many operators must agree, or how many rebuilders; a majority when null.</summary>
    public int? Quorum { get; init; }

    /// <summary>A builder's name for its log.</summary>
    public required string Name { get; init; }

    /// <summary>Where others reach what is set up here; found from the host's name when null.</summary>
    public string? Url { get; init; }

    /// <summary>Where clients, or readers of a builder's log, connect.</summary>
    public required int Port { get; init; }

    /// <summary>Where the proxy's operations listener is, on loopback.</summary>
    public int OperationsPort { get; init; } = Ports.Operations;
}
