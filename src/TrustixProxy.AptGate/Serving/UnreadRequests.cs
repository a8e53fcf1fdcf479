using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace TrustixProxy.AptGate.Serving;

/// <summary>Sees which requests wait unread on an HTTP/1.1 connection while the one before them is answered: apt sends ten at
/// once.</summary>
/// <remarks>What is seen is a hint: it begins work that the request itself would begin, and answers nothing.</remarks>
/// <param name="input">The connection's bytes.</param>
/// <param name="closed">Cancelled when the connection ends.</param>
internal sealed class UnreadRequests(PipeReader input, CancellationToken closed)
{
    private const int MostSeen = 16, MaxTarget = 4 << 10;

    /// <summary>Cancelled when the connection ends.</summary>
    public CancellationToken Closed => closed;

    /// <summary>Serves a connection.</summary>
    public static Task ServeAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        connection.Features.Set(new UnreadRequests(connection.Transport.Input, connection.ConnectionClosed));
        return next(connection);
    }

    /// <summary>Lists the targets that wait behind a request. Called before it is answered: the server reads no further until
    /// then.</summary>
    public IReadOnlyList<string> Look(HttpContext context)
    {
        if (context.Request.Protocol is not "HTTP/1.1"
            || context.Features.Get<IHttpRequestBodyDetectionFeature>() is not { CanHaveBody: false } || !TryPeek(out var unread))
        {
            return [];
        }

        try
        {
            return Read(unread.Buffer);
        }
        finally
        {
            input.AdvanceTo(unread.Buffer.Start);
            if (unread.IsCanceled)
            {
                input.CancelPendingRead(); // it was meant for the server
            }
        }
    }

    /// <summary>Lists the targets of GET requests in unread bytes.</summary>
    internal static IReadOnlyList<string> Read(ReadOnlySequence<byte> unread)
    {
        var targets = new List<string>();
        var reader = new SequenceReader<byte>(unread);
        while (targets.Count < MostSeen && reader.TryReadTo(out ReadOnlySequence<byte> head, "\r\n\r\n"u8))
        {
            var line = new SequenceReader<byte>(head);
            if (!line.IsNext("GET "u8, advancePast: true) || !line.TryReadTo(out ReadOnlySequence<byte> target, (byte)' ')
                || target.Length > MaxTarget)
            {
                break;
            }

            targets.Add(Encoding.ASCII.GetString(target));
        }

        return targets;
    }

    private bool TryPeek(out ReadResult unread)
    {
        try
        {
            return input.TryRead(out unread);
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or InvalidOperationException)
        {
            unread = default;
            return false; // reset, aborted, or read on
        }
    }
}
