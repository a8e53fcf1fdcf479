using System.Net.Sockets;
using TrustixProxy.Native;

namespace TrustixProxy.IO.Connections;

/// <summary>Manages the file of a unix socket.</summary>
public static class SocketFile
{
    /// <summary>Removes a socket file that a dead process left behind, because it blocks listening there.</summary>
    /// <remarks>Keeps a socket that accepts connections. Keeps every other kind of file too: a mistyped address must not delete
    /// one.</remarks>
    /// <returns>Whether a process listens there.</returns>
    public static bool IsTaken(string path)
    {
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (SocketException exception) when (exception.SocketErrorCode is SocketError.ConnectionRefused)
        {
            if (SystemCalls.IsSocket(path))
            {
                File.Delete(path);
            }
        }
        catch (Exception exception) when (exception is SocketException or ArgumentOutOfRangeException)
        {
            // Nothing is there, or we may not open it: binding reports why.
        }

        return false;
    }
}
