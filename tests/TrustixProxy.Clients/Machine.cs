namespace TrustixProxy.Clients;

/// <summary>A machine that runs one version of Nix, with a store and a narinfo cache of its own.</summary>
/// <param name="Client">The version.</param>
/// <param name="Name">The name of its store.</param>
/// <param name="Settings">What its Nix is told beside the settings that all share.</param>
internal sealed record Machine(NixClient Client, string Name, params (string Name, string Value)[] Settings)
{
    private static readonly (string Name, string Value)[] Shared =
    [
        ("build-users-group", ""), ("experimental-features", "nix-command"), ("sandbox", "false"), ("substituters", ""),
        ("connect-timeout", "5"), ("stalled-download-timeout", "60"),
    ];

    /// <summary>Environment variables beside those that all share.</summary>
    public Dictionary<string, string> Variables { get; init; } = [];

    /// <summary>A machine that substitutes from these caches.</summary>
    public static Machine Substituting(string version, string name, string substituters, string publicKeys) =>
        new(NixClient.Of(version), $"{name}-{version}", ("substituters", substituters), ("trusted-public-keys", publicKeys));

    /// <summary>The environment variables that its Nix runs under.</summary>
    public Dictionary<string, string> Environment(string lab) => new(Variables)
    {
        ["HOME"] = Path.Combine(lab, "home", Name),
        ["XDG_CACHE_HOME"] = Path.Combine(lab, "home", Name, ".cache"),
        ["NIX_CONF_DIR"] = Path.Combine(lab, "conf"),
        ["NIX_REMOTE"] = "local",
        ["NIX_CONFIG"] = string.Concat(Shared.Concat(Settings).Select(setting => $"{setting.Name} = {setting.Value}\n")),
    };
}
