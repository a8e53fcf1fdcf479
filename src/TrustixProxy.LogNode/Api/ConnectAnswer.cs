using System.Diagnostics;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;

namespace TrustixProxy.LogNode.Api;

/// <summary>The Connect protocol's error codes that a log answers with.</summary>
/// <remarks>Source: connectrpc.com/docs/protocol, "Error Codes".</remarks>
internal enum ConnectCode
{
    /// <summary>The request is malformed.</summary>
    InvalidArgument,

    /// <summary>The token is missing or not valid.</summary>
    Unauthenticated,

    /// <summary>The token is valid, and may not do this.</summary>
    PermissionDenied,

    /// <summary>There is no such thing.</summary>
    NotFound,

    /// <summary>More than is allowed at once.</summary>
    ResourceExhausted,

    /// <summary>It takes longer than the client said it waits; it may be done all the same.</summary>
    DeadlineExceeded,

    /// <summary>A fault of this program.</summary>
    Internal,

    /// <summary>A log does not do this.</summary>
    Unimplemented,
}

/// <summary>What a call is answered with: a message, or an error.</summary>
internal readonly record struct ConnectAnswer(IMessage? Message, ConnectCode Code, string Error)
{
    public static ConnectAnswer Of(IMessage message) => new(message, default, "");

    public static ConnectAnswer Fail(ConnectCode code, string error) => new(null, code, error);

    /// <summary>The HTTP status of an error. <c>unimplemented</c> is 404 and <c>deadline_exceeded</c> 408, as connect-go has them up to
    /// 1.12; clients go by the code.</summary>
    public int Status => Code switch
    {
        ConnectCode.InvalidArgument => StatusCodes.Status400BadRequest,
        ConnectCode.Unauthenticated => StatusCodes.Status401Unauthorized,
        ConnectCode.PermissionDenied => StatusCodes.Status403Forbidden,
        ConnectCode.NotFound or ConnectCode.Unimplemented => StatusCodes.Status404NotFound,
        ConnectCode.ResourceExhausted => StatusCodes.Status429TooManyRequests,
        ConnectCode.DeadlineExceeded => StatusCodes.Status408RequestTimeout,
        ConnectCode.Internal => StatusCodes.Status500InternalServerError,
        _ => throw new UnreachableException(),
    };
}
