using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace TrustixProxy.Setup;

/// <summary>Ports of this machine's loopback address.</summary>
internal static class Ports
{
    /// <summary>Where the proxy listens unless told otherwise, and its operations listener.</summary>
    public const int Proxy = 8080, Operations = 8081;

    /// <summary>Where a log listens unless told otherwise.</summary>
    public const int Log = 8090;

    /// <summary>The ports that a configuration has; null where there is none.</summary>
    public static (int Port, int Operations)? Kept(string configuration)
    {
        try
        {
            var root = JsonNode.Parse(File.ReadAllText(configuration));
            return PortOf(root?["listen"]) is { } port ? (port, PortOf(root?["operations"]?["listen"]) ?? Operations) : null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException
            or InvalidOperationException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>Whether nobody listens there now.</summary>
    public static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>The port itself when it is free, else the next free one that is not among the <paramref name="others"/>.</summary>
    public static int FreeFrom(int port, params int[] others) =>
        Enumerable.Range(port, 65_536 - port).FirstOrDefault(next => !others.Contains(next) && IsFree(next), port);

    private static int? PortOf(JsonNode? addresses) =>
        Uri.TryCreate((string?)addresses?[0], UriKind.Absolute, out var address) && address.Port > 0 ? address.Port : null;
}
