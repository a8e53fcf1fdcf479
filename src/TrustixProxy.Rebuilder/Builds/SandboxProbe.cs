using TrustixProxy.Publisher;
using TrustixProxy.Rebuilder.Stores;

namespace TrustixProxy.Rebuilder.Builds;

/// <summary>Finds out by a build that runs nothing foreign whether Nix has a sandbox here.</summary>
internal static class SandboxProbe
{
    private const string Remedy = "Rebuilding runs foreign builders, which need a sandbox: user, mount and network namespaces. As root, "
        + "have a group " + StoreSettings.BuildUsers + " with members, as Nix's installer and NixOS make it. As an ordinary user, allow "
        + "user namespaces (sysctl user.max_user_namespaces above 0; kernel.unprivileged_userns_clone=1 where that exists). In a "
        + "container, allow both (Docker: --privileged, or --cap-add SYS_ADMIN with seccomp and AppArmor unconfined).";

    /// <summary>Builds.</summary>
    /// <exception cref="NixException">There is no sandbox here; says what to do.</exception>
    public static async Task RunAsync(OwnStore store, NixCommand nix, CancellationToken cancellation)
    {
        var expression = "derivation { name = \"sandbox-probe\"; system = builtins.currentSystem; builder = \"builtin:buildenv\"; "
            + $"derivations = []; manifest = \"/none\"; probe = \"{Guid.NewGuid():n}\"; }}";
        var end = await nix.TryRunAsync("nix-build", ["--store", store.Folder, "--no-out-link", "--max-jobs", "1", "--option", "substitute",
            "false", "-E", expression], new NixBounds(TimeSpan.FromMinutes(5), ""), cancellation);
        if (end.Code is not 0)
        {
            throw new NixException($"no sandbox can be had here: {end.Reason}\n{Remedy}");
        }
    }
}
