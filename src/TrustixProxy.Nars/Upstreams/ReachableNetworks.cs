using System.Net;
using TrustixProxy.IO.Connecting;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>Limits where an upstream may lead us by its addresses, redirects and narinfo URLs: to the public internet and its own host's
/// networks.</summary>
/// <remarks>An attacker who controls an upstream (its owner, DNS, anyone on an http path) must not reach services that only we can reach.
/// So the scopes of its host are learnt once: from a literal address, else from the first complete DNS answer. Each connection is checked
/// against them, and a later answer widens nothing. A DNS answer never opens link-local addresses, where clouds have their metadata
/// services.</remarks>
/// <param name="origin">The upstream's address.</param>
internal sealed class ReachableNetworks(Uri origin)
{
    private readonly string _host = Bare(origin.IdnHost);
    private int _scopes; // flags of AddressScope; 0 until they are known

    /// <summary>Returns the addresses of a host that may be connected to.</summary>
    /// <exception cref="HttpRequestException">No address may be connected to.</exception>
    public IPAddress[] Admit(DnsEndPoint target, IPAddress[] addresses)
    {
        var isOrigin = IsOrigin(target.Host);
        if (isOrigin && target.Port == origin.Port)
        {
            Interlocked.CompareExchange(ref _scopes,
                addresses.Aggregate(FlagOf(AddressScope.Public), (flags, address) => flags | FlagOf(AddressScopes.Of(address))), 0);
        }

        var isLiteralOrigin = isOrigin && IPAddress.TryParse(_host, out _);
        IPAddress[] admitted = [.. addresses.Where(address => (isLiteralOrigin && !AddressScopes.IsMetadataService(address))
            || MayReach(AddressScopes.Of(address)))];
        return admitted.Length > 0 ? admitted : throw new UpstreamFaultException(
            UpstreamFailure.AddressRefused,
            $"{origin.Host} leads to {target.Host}, which is at {string.Join(", ", addresses.AsEnumerable())}: it may not lead "
                + $"into a network that its own addresses are not in.");
    }

    /// <summary>Whether a URL may be requested through an HTTP proxy, where only its host name is known.</summary>
    public bool MayAskThroughProxy(Uri address)
    {
        var scope = AddressScopes.OfHost(address.IdnHost);
        return IsOrigin(address.IdnHost) || scope is null or AddressScope.Public
            || (scope is not AddressScope.LinkLocal and not AddressScope.None
            && AddressScopes.OfHost(_host) is AddressScope.Private or AddressScope.Loopback);
    }

    private bool MayReach(AddressScope scope) =>
        scope is AddressScope.Public || (scope is AddressScope.Private or AddressScope.Loopback
            && (Volatile.Read(ref _scopes) & FlagOf(scope)) is not 0);

    private bool IsOrigin(string host) => Bare(host).Equals(_host, StringComparison.OrdinalIgnoreCase);

    private static int FlagOf(AddressScope scope) => 1 << (int)scope;

    private static string Bare(string host) => host.Trim('[', ']').TrimEnd('.');
}
