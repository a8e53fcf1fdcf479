using System.Net.Sockets;
using TrustixProxy.Native;

namespace TrustixProxy.IO.Connections;

/// <summary>The file by which a unix socket is found.</summary>
public static class SocketFile
{
    /// <summary>Removes the socket that a dead process left behind, since the system lets nobody listen there again.</summary>
    /// <remarks>A socket that somebody listens at stays. So does everything that is no socket: a mistyped address must not cost a
    /// file.</remarks>
    /// <returns>Whether somebody listens there.</returns>
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
            // Nothing is there, or nothing that we may open: listening says why it cannot be.
        }

        return false;
    }
}
