using System.Net.Sockets;
using System.Text;

namespace TrustixProxy.Terminal;

/// <summary>Tells systemd how the process is, where it asks for that (<c>Type=notify</c>).</summary>
/// <remarks>One datagram to the socket that <c>NOTIFY_SOCKET</c> names; <c>@</c> begins an abstract name. Source: sd_notify(3).</remarks>
internal static class SystemdNotify
{
    public static void Ready() => Tell("READY=1");

    public static void Stopping() => Tell("STOPPING=1");

    private static void Tell(string state)
    {
        if (Environment.GetEnvironmentVariable("NOTIFY_SOCKET") is not { Length: > 1 } address)
        {
            return;
        }

        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            socket.SendTo(Encoding.ASCII.GetBytes(state), new UnixDomainSocketEndPoint(address[0] is '@' ? $"\0{address[1..]}" : address));
        }
        catch (SocketException exception)
        {
            Console.Error.WriteLine($"NOTIFY_SOCKET is '{address}', which accepts no datagrams: {exception.Message}");
        }
    }
}
