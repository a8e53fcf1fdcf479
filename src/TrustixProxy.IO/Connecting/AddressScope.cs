using System.Net;
using System.Net.Sockets;

namespace TrustixProxy.IO.Connecting;

/// <summary>The scope within which an address is reachable.</summary>
public enum AddressScope
{
    /// <summary>The public internet.</summary>
    Public,

    /// <summary>A private network: RFC 1918, RFC 6598, unique local and site-local IPv6, benchmarking networks.</summary>
    Private,

    /// <summary>This machine, including the unspecified address: connecting to it leads here.</summary>
    Loopback,

    /// <summary>The local link: 169.254.0.0/16 with the metadata services of clouds, and fe80::/10.</summary>
    LinkLocal,

    /// <summary>Not a host's address: multicast, reserved.</summary>
    None,
}

/// <summary>Determines the scopes of addresses, and of names that only private networks have.</summary>
public static class AddressScopes
{
    private static readonly string[] PrivateSuffixes = [".local", ".internal"];

    /// <summary>Returns the scope of an address. An IPv6 form of an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo, ISATAP) has that
    /// address's scope.</summary>
    public static AddressScope Of(IPAddress address)
    {
        var bytes = address.GetAddressBytes();
        return IsMetadataService(address) ? AddressScope.LinkLocal
            : address.AddressFamily is AddressFamily.InterNetwork ? OfFour(bytes) : Embedded(bytes) is { } four ? OfFour(four)
            : OfSix(bytes);
    }

    /// <summary>Whether a cloud keeps a machine's keys at an address, in any form of it.</summary>
    /// <remarks>169.254.169.254 (AWS, Google, Azure and others), 169.254.170.2 and .23 (AWS containers), fd00:ec2::254 and ::23 (AWS),
    /// 100.100.100.200 (Alibaba).</remarks>
    public static bool IsMetadataService(IPAddress address)
    {
        var bytes = address.GetAddressBytes();
        return (address.AddressFamily is AddressFamily.InterNetwork ? bytes : Embedded(bytes) ?? bytes)
            is [169, 254, 169, 254] or [169, 254, 170, 2 or 23] or [100, 100, 100, 200]
            or [0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54]
            or [0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x23];
    }

    /// <summary>Returns the scope of a URL's host without resolving it: a literal address's scope; null for a name that needs
    /// DNS.</summary>
    public static AddressScope? OfHost(string host)
    {
        var name = host.Trim('[', ']').TrimEnd('.');
        return IPAddress.TryParse(name, out var address) ? Of(address)
            : name.Equals("localhost", StringComparison.OrdinalIgnoreCase)
                || name.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase) ? AddressScope.Loopback
            : !name.Contains('.') || PrivateSuffixes.Any(suffix => name.EndsWith(suffix, StringComparison.OrdinalIgnoreCase))
                ? AddressScope.Private
            : null;
    }

    private static AddressScope OfFour(ReadOnlySpan<byte> bytes) => bytes switch
    {
        [0, 0, 0, 0] or [127, ..] => AddressScope.Loopback,
        [169, 254, ..] => AddressScope.LinkLocal,
        [0, ..] or [>= 224, ..] => AddressScope.None,
        [10, ..] or [192, 168, ..] or [192, 0, 0, _] or [198, 18 or 19, ..] => AddressScope.Private,
        [172, >= 16 and < 32, ..] or [100, >= 64 and < 128, ..] => AddressScope.Private,
        _ => AddressScope.Public,
    };

    private static AddressScope OfSix(ReadOnlySpan<byte> bytes) => bytes switch
    {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 or 1] => AddressScope.Loopback,
        [0xfe, >= 0x80 and < 0xc0, ..] => AddressScope.LinkLocal,
        [0xfe, >= 0xc0, ..] or [0xfc or 0xfd, ..] => AddressScope.Private,
        [0, 0x64, 0xff, 0x9b, ..] => AddressScope.Private, // NAT64 of this network's own (RFC 8215): where it leads, only it knows
        [0xff, ..] => AddressScope.None,
        _ => AddressScope.Public,
    };

    /// <summary>Returns the IPv4 address embedded in an IPv6 one; null when there is none.</summary>
    private static byte[]? Embedded(ReadOnlySpan<byte> bytes) => bytes switch
    {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 or 1] => null,
        // mapped, compatible
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ..] or [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ..] => bytes[12..].ToArray(),
        [0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, ..] => bytes[12..].ToArray(), // translated (RFC 2765)
        [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, ..] => bytes[12..].ToArray(), // NAT64 (RFC 6052)
        [0x20, 0x02, ..] => bytes[2..6].ToArray(), // 6to4 (RFC 3056)
        [0x20, 0x01, 0, 0, ..] => [.. bytes[12..].ToArray().Select(part => (byte)(part ^ 0xff))], // Teredo (RFC 4380)
        [_, _, _, _, _, _, _, _, 0 or 2, 0, 0x5e, 0xfe, ..] => bytes[12..].ToArray(), // ISATAP (RFC 5214)
        _ => null,
    };
}
