using System.Net.Sockets;
using System.Security.Authentication;
using TrustixProxy.IO.Buckets;
using TrustixProxy.IO.Connecting;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>Thrown by our own handlers in a request to an upstream when they know why it fails.</summary>
internal sealed class UpstreamFaultException(UpstreamFailure kind, string message) : HttpRequestException(message)
{
    public UpstreamFault Fault { get; } = new(kind);

    /// <summary>Returns the fault for an exception of a request to an upstream.</summary>
    public static UpstreamFault FaultOf(Exception exception)
    {
        if (PeerTls.IsRefusal(exception))
        {
            return new UpstreamFault(UpstreamFailure.ClientCertificate);
        }

        for (Exception? inner = exception; inner is not null; inner = inner.InnerException)
        {
            if (TryRead(inner) is { } kind)
            {
                return inner is UpstreamFaultException known ? known.Fault : new UpstreamFault(kind);
            }
        }

        return new UpstreamFault(exception switch
        {
            HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } => UpstreamFailure.NameResolution,
            HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } => UpstreamFailure.Tls,
            HttpRequestException { HttpRequestError: HttpRequestError.ProxyTunnelError } => UpstreamFailure.ProxyRefused,
            HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError } => UpstreamFailure.Unreachable,
            HttpRequestException or IOException => UpstreamFailure.ConnectionReset,
            InvalidDataException => UpstreamFailure.UnknownEncoding,
            _ => UpstreamFailure.RequestFailed,
        });
    }

    private static UpstreamFailure? TryRead(Exception exception) => exception switch
    {
        UpstreamFaultException known => known.Fault.Kind,
        NoInstanceRoleException => UpstreamFailure.NoInstanceRole,
        FolderUnavailableException => UpstreamFailure.Folder,
        HttpRequestException { HttpRequestError: HttpRequestError.ProxyTunnelError } => UpstreamFailure.ProxyRefused,
        SocketException socket => Of(socket.SocketErrorCode),
        AuthenticationException tls => IsUntrusted(tls.Message) ? UpstreamFailure.UntrustedCertificate : UpstreamFailure.Tls,
        InvalidDataException => UpstreamFailure.UnknownEncoding,
        TimeoutException or OperationCanceledException => UpstreamFailure.Silent,
        _ => null,
    };

    private static UpstreamFailure? Of(SocketError error) => error switch
    {
        SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain or SocketError.NoRecovery => UpstreamFailure.NameResolution,
        SocketError.ConnectionRefused => UpstreamFailure.ConnectionRefused,
        SocketError.TimedOut => UpstreamFailure.Silent,
        SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.NetworkDown => UpstreamFailure.Unreachable,
        SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown => UpstreamFailure.ConnectionReset,
        _ => null,
    };

    /// <remarks>The framework names certificate chain faults only in its message.</remarks>
    private static bool IsUntrusted(string message) =>
        message.Contains("UntrustedRoot", StringComparison.Ordinal) || message.Contains("PartialChain", StringComparison.Ordinal);
}
