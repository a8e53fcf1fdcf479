using System.Runtime.InteropServices;
using Google.Protobuf;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Api;

/// <summary>The calls that need a token: publishers make them, on private listeners only.</summary>
internal sealed class WriteCalls(IReadOnlyDictionary<string, HostedLog> logs)
{
    /// <summary>Maximum number of items per call.</summary>
    public const int MaxItems = 10_000;

    /// <summary>Maximum size of a request, in bytes: 16 MiB.</summary>
    private const int MaxSubmission = 16 << 20;

    public void Map(ConnectEndpoint endpoint)
    {
        endpoint.Map("trustix_rpc.v1.LogRPC/Submit", SubmitRequest.Parser, SubmitAsync, MaxSubmission);
        endpoint.Map("trustix_rpc.v1.LogRPC/Flush", FlushRequest.Parser, FlushAsync);
    }

    private async Task<ConnectAnswer> SubmitAsync(ConnectContext context, SubmitRequest request)
    {
        if (Find(context, request.LogID, out var log) is { } refusal)
        {
            return refusal;
        }

        var tooLong = request.Items.FirstOrDefault(
            item => item.Key.Length > WireMessage.MaxKey || item.Value.Length > WireMessage.MaxValue);
        if (request.Items.Count > MaxItems || tooLong is not null)
        {
            return ConnectAnswer.Fail(ConnectCode.InvalidArgument, tooLong is null
                ? $"Items are {request.Items.Count}; at most {MaxItems} are taken at once"
                : $"an item has a key of {tooLong.Key.Length} bytes and a value of {tooLong.Value.Length}; at most {WireMessage.MaxKey} "
                    + $"and {WireMessage.MaxValue} are taken");
        }

        if (request.Items.Count > 0)
        {
            var writer = context.Caller!.Name;
            var entries = request.Items.Select(item => new Entry(BytesOf(item.Key), BytesOf(item.Value)) { Writer = writer });
            await log!.Sequencer.SubmitAsync([.. entries], context.Aborted);
        }

        return ConnectAnswer.Of(new SubmitResponse { Status = SubmitResponse.Types.Status.Ok });
    }

    private async Task<ConnectAnswer> FlushAsync(ConnectContext context, FlushRequest request)
    {
        if (Find(context, request.LogID, out var log) is { } refusal)
        {
            return refusal;
        }

        await log!.Sequencer.FlushAsync(context.Aborted);
        return ConnectAnswer.Of(new FlushResponse());
    }

    /// <summary>Returns the bytes themselves where they are an array of their own: nobody changes them.</summary>
    private static byte[] BytesOf(ByteString bytes) =>
        MemoryMarshal.TryGetArray(bytes.Memory, out var array) && array.Count == array.Array!.Length ? array.Array : bytes.ToByteArray();

    /// <summary>Finds the log if the caller may write to it; otherwise returns the error.</summary>
    private ConnectAnswer? Find(ConnectContext context, string logId, out HostedLog? log)
    {
        logs.TryGetValue(logId, out log);
        return !context.Listener.IsPrivate
            ? ConnectAnswer.Fail(ConnectCode.PermissionDenied, "this listener is read-only: submit to the node's privateListen")
            : context.Caller is null ? ConnectAnswer.Fail(
                ConnectCode.Unauthenticated, $"unauthenticated write call attempted: the {WriteToken.Header} header is missing")
            : log is null ? ConnectAnswer.Fail(ConnectCode.NotFound, $"Publisher with log id '{logId}' doesn't exist")
            : !log.Options.WriteTokens.Contains(context.Caller) ? ConnectAnswer.Fail(
                ConnectCode.PermissionDenied, $"the token '{context.Caller.Name}' may not write to this log: its writeTokens don't name it")
            : null;
    }
}
