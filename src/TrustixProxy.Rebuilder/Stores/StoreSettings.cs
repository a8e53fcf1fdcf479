using TrustixProxy.Nix;

namespace TrustixProxy.Rebuilder.Stores;

/// <summary>The settings of Nix under which a rebuilder evaluates and builds: what is foreign runs in a sandbox, or not at all.</summary>
internal static class StoreSettings
{
    /// <summary>The group whose members run builders when this process is root: none of root's files are theirs.</summary>
    public const string BuildUsers = "nixbld";

    /// <summary>Returns the settings.</summary>
    /// <param name="substituter">The only cache.</param>
    /// <param name="publicKeys">The keys whose signatures are accepted.</param>
    /// <param name="isRoot">Whether this process is root.</param>
    public static Dictionary<string, string> Of(Uri substituter, IEnumerable<NixPublicKey> publicKeys, bool isRoot) => new()
    {
        ["experimental-features"] = "nix-command",
        ["sandbox"] = "true",
        ["sandbox-fallback"] = "false",
        ["build-users-group"] = isRoot ? BuildUsers : "",
        ["allow-import-from-derivation"] = "false",
        ["accept-flake-config"] = "false",
        ["substituters"] = substituter.AbsoluteUri,
        ["trusted-public-keys"] = string.Join(' ', publicKeys),
        ["require-sigs"] = "true",
        ["fallback"] = "false",
        ["narinfo-cache-negative-ttl"] = "0", // a path may be agreed on soon
        ["connect-timeout"] = "15",
        ["builders"] = "",
        ["pre-build-hook"] = "",
        ["post-build-hook"] = "",
        ["keep-derivations"] = "false",
        ["keep-outputs"] = "false",
        ["keep-failed"] = "false",
    };
}
