using Google.Protobuf;

namespace TrustixProxy.LogNode.Api;

/// <summary>The Connect protocol's error codes that a log answers with, and their HTTP status.</summary>
/// <remarks>Source: connectrpc.com/docs/protocol, "Error Codes".</remarks>
internal enum ConnectCode
{
    /// <summary>400: the request is malformed.</summary>
    InvalidArgument = 400,

    /// <summary>401: the token is missing or not valid.</summary>
    Unauthenticated = 401,

    /// <summary>403: the token is valid, and may not do this.</summary>
    PermissionDenied = 403,

    /// <summary>404: there is no such thing.</summary>
    NotFound = 404,

    /// <summary>429: more than is allowed at once.</summary>
    ResourceExhausted = 429,

    /// <summary>500: a fault of this program.</summary>
    Internal = 500,

    /// <summary>501: a log does not do this.</summary>
    Unimplemented = 501,

    /// <summary>503: not now.</summary>
    Unavailable = 503,
}

/// <summary>What a call is answered with: a message, or an error.</summary>
internal readonly record struct ConnectAnswer(IMessage? Message, ConnectCode Code, string Error)
{
    public static ConnectAnswer Of(IMessage message) => new(message, default, "");

    public static ConnectAnswer Fail(ConnectCode code, string error) => new(null, code, error);
}
