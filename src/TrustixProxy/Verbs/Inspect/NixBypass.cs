using TrustixProxy.Configuration;
using TrustixProxy.Setup;
using TrustixProxy.Substituter.Composition;

namespace TrustixProxy.Verbs.Inspect;

/// <summary>Finds what in this machine's Nix bypasses the vote, if its Nix asks the proxy at all.</summary>
internal static class NixBypass
{
    /// <summary>Asks Nix for its settings.</summary>
    /// <returns>Sentences with remedies; empty where Nix does not ask this proxy, or does not answer.</returns>
    public static async Task<IReadOnlyList<string>> FindAsync(SubstituterOptions options, CancellationToken cancellation)
    {
        bool IsProxy(string address) => Uri.TryCreate(address, UriKind.Absolute, out var url)
            && OwnAddresses.ListenerAt(options.FrontDoor.Listen, url) is not null;
        if (await NixSettings.AskAsync(cancellation) is not { } nix || !nix.Substituters.Any(IsProxy))
        {
            return [];
        }

        var own = options.SigningKey.PublicKey.ToString();
        string[] ours = [own, .. options.PreviousSigningKeys.Select(key => key.PublicKey.ToString()),
            .. options.Caches.Where(cache => cache.Elector.Name == options.Policy.Fallback)
                .SelectMany(cache => cache.Elector.Keys).Select(key => key.ToString()!)];
        string[] lacking = nix.TrustedKeys.Contains(own) ? []
            : [$"trusted-public-keys: lacks {own}, so nothing that the proxy signs is believed. Add it."];
        return [.. lacking, .. nix.Bypasses(IsProxy, ours)];
    }
}
