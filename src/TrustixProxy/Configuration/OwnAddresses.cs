using System.Net;
using System.Net.NetworkInformation;

namespace TrustixProxy.Configuration;

/// <summary>Where a process listens, compared with where else it listens and with whom it asks.</summary>
internal static class OwnAddresses
{
    private const string Unix = "unix:";

    /// <summary>Finds two listening addresses that cannot both be had.</summary>
    /// <param name="lists">The full name of each key, and its addresses.</param>
    public static void CheckDistinct(Section section, params (string Key, IReadOnlyList<string> Addresses)[] lists)
    {
        var all = lists.SelectMany(list => list.Addresses
            .Select(address => (list.Key, Address: address, Place: PlaceOf(address)))).ToList();
        for (var i = 0; i < all.Count; i++)
        {
            if (all.Take(i).Where(other => Overlap(other.Place, all[i].Place)).ToList() is [var first, ..])
            {
                section.Fault(all[i].Key,
                    $"has '{all[i].Address}', where '{first.Key}' already listens ('{first.Address}'). Give each its own port or path.");
            }
        }
    }

    /// <summary>The listening address that a peer's address leads to; null when it is another's.</summary>
    public static string? ListenerAt(IEnumerable<string> listen, Uri peer)
    {
        var place = peer.Scheme is "unix" ? new Place(ServiceUrl.PathOf(peer), [], 0) : new Place(null, AddressesOf(peer), peer.Port);
        var ours = new Lazy<HashSet<IPAddress>>(AddressesOfThisMachine);
        return listen.FirstOrDefault(address => Overlap(PlaceOf(address), place)
            && (place.Socket is not null || place.Addresses.Any(found => IPAddress.IsLoopback(found) || ours.Value.Contains(found))));
    }

    private static Place? PlaceOf(string address) =>
        address.StartsWith(Unix, StringComparison.Ordinal) ? new Place(address[Unix.Length..], [], 0)
        : Uri.TryCreate(address, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"
            ? new Place(null, AddressesOf(url), url.Port)
        : null;

    /// <summary>Addresses of a host, as far as they are known without asking anyone.</summary>
    private static IPAddress[] AddressesOf(Uri url)
    {
        var host = url.IdnHost.Trim('[', ']').TrimEnd('.');
        return IPAddress.TryParse(host, out var literal) ? [literal.IsIPv4MappedToIPv6 ? literal.MapToIPv4() : literal]
            : host.Equals("localhost", StringComparison.OrdinalIgnoreCase) ? [IPAddress.Loopback, IPAddress.IPv6Loopback]
            : host.Equals(Environment.MachineName, StringComparison.OrdinalIgnoreCase) ? [IPAddress.Loopback, .. AddressesOfThisMachine()]
            : [];
    }

    private static bool Overlap(Place? one, Place? other) => one is not null && other is not null
        && (one.Socket is not null || other.Socket is not null
            ? one.Socket == other.Socket
            : one.Port == other.Port && one.Port is not 0
                && one.Addresses.Any(a => other.Addresses.Any(b => a.Equals(b) || Covers(a, b) || Covers(b, a))));

    /// <summary>Whether listening at one address takes another: all of a family; [::] takes IPv4 too.</summary>
    private static bool Covers(IPAddress all, IPAddress one) => all.Equals(IPAddress.IPv6Any)
        || (all.Equals(IPAddress.Any) && one.AddressFamily == all.AddressFamily);

    private static HashSet<IPAddress> AddressesOfThisMachine()
    {
        try
        {
            return [IPAddress.Any, IPAddress.IPv6Any,
                .. NetworkInterface.GetAllNetworkInterfaces().SelectMany(card => card.GetIPProperties().UnicastAddresses)
                .Select(unicast => unicast.Address)];
        }
        catch (NetworkInformationException)
        {
            return []; // a sandbox that hides them: only names and loopback are compared
        }
    }

    /// <summary>A unix socket, or addresses and a port.</summary>
    private sealed record Place(string? Socket, IPAddress[] Addresses, int Port);
}
