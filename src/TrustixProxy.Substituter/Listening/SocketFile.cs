using System.Net.Sockets;

namespace TrustixProxy.Substituter.Listening;

/// <summary>The file by which a unix socket is found.</summary>
internal static class SocketFile
{
    /// <summary>Removes the file of a process that has died: the system would let nobody listen there again. One that somebody listens at stays, and so does what is no socket.</summary>
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
            File.Delete(path);
        }
        catch (Exception exception) when (exception is SocketException or ArgumentOutOfRangeException)
        {
            // There is none, or one that is not ours: listening says why it cannot be.
        }

        return false;
    }
}
