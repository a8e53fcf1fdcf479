using System.Diagnostics;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;

namespace TrustixProxy.LogNode.Api;

/// <summary>The Connect error codes that a log returns.</summary>
/// <remarks>Source: connectrpc.com/docs/protocol, "Error Codes".</remarks>
internal enum ConnectCode
{
    /// <summary>The request is malformed.</summary>
    InvalidArgument,

    /// <summary>The token is missing or not valid.</summary>
    Unauthenticated,

    /// <summary>The token is valid, but does not allow this.</summary>
    PermissionDenied,

    /// <summary>The requested object does not exist.</summary>
    NotFound,

    /// <summary>The log's state does not allow the call.</summary>
    FailedPrecondition,

    /// <summary>A limit is exceeded.</summary>
    ResourceExhausted,

    /// <summary>The call takes longer than the client's timeout; it may complete all the same.</summary>
    DeadlineExceeded,

    /// <summary>A bug in this program.</summary>
    Internal,

    /// <summary>The log does not support the call.</summary>
    Unimplemented,
}

/// <summary>The response to a call: a message, or an error.</summary>
internal readonly record struct ConnectAnswer(IMessage? Message, ConnectCode Code, string Error)
{
    public static ConnectAnswer Of(IMessage message) => new(message, default, "");

    public static ConnectAnswer Fail(ConnectCode code, string error) => new(null, code, error);

    /// <summary>The HTTP status of an error. As in connect-go up to 1.12, <c>unimplemented</c> is 404 and <c>deadline_exceeded</c> 408;
    /// clients use the code.</summary>
    public int Status => Code switch
    {
        ConnectCode.InvalidArgument => StatusCodes.Status400BadRequest,
        ConnectCode.FailedPrecondition => StatusCodes.Status412PreconditionFailed,
        ConnectCode.Unauthenticated => StatusCodes.Status401Unauthorized,
        ConnectCode.PermissionDenied => StatusCodes.Status403Forbidden,
        ConnectCode.NotFound or ConnectCode.Unimplemented => StatusCodes.Status404NotFound,
        ConnectCode.ResourceExhausted => StatusCodes.Status429TooManyRequests,
        ConnectCode.DeadlineExceeded => StatusCodes.Status408RequestTimeout,
        ConnectCode.Internal => StatusCodes.Status500InternalServerError,
        _ => throw new UnreachableException(),
    };
}
