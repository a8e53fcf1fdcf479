using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace TrustixProxy.IO.Connections;

/// <summary>The client a connection or request counts for: an IPv4 address, or an IPv6 /64, which belongs to one client.</summary>
public readonly record struct ClientAddress
{
    private readonly AddressFamily _family;
    private readonly ulong _network;

    private ClientAddress(AddressFamily family, ulong network) => (_family, _network) = (family, network);

    /// <summary>Returns bytes that identify the client, the same in every process.</summary>
    public byte[] ToBytes()
    {
        var bytes = new byte[sizeof(int) + sizeof(ulong)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, (int)_family);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(sizeof(int)), _network);
        return bytes;
    }

    /// <summary>Returns the client at an address; clients without one, as on unix sockets, count as one.</summary>
    public static ClientAddress Of(IPAddress? address)
    {
        Span<byte> bytes = stackalloc byte[16];
        if (address is null || !address.TryWriteBytes(bytes, out var length))
        {
            return default;
        }

        return length is 4 ? new ClientAddress(AddressFamily.InterNetwork, BitConverter.ToUInt32(bytes))
            : address.IsIPv4MappedToIPv6 ? new ClientAddress(AddressFamily.InterNetwork, BitConverter.ToUInt32(bytes[12..]))
            : new ClientAddress(AddressFamily.InterNetworkV6, BitConverter.ToUInt64(bytes));
    }
}
