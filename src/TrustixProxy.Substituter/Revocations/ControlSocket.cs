using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Connections;
using TrustixProxy.IO.Supervision;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Substituter.Wanted;

namespace TrustixProxy.Substituter.Revocations;

/// <summary>Request of a verb to a running proxy.</summary>
/// <param name="Verb"><c>revoke</c>, or <c>nars</c> to list refused NARs of upstreams, or <c>wanted</c> to list undecided
/// paths.</param>
/// <param name="Subject">A <see cref="RevokedSubject"/>; for <c>nars</c> a path, or empty for all paths.</param>
/// <param name="Reason">Reason, one line.</param>
/// <param name="IsUndone">Whether to reverse an earlier revocation.</param>
internal sealed record ControlRequest(string Verb, string Subject, string Reason, bool IsUndone);

/// <summary>Reply to a control request.</summary>
/// <param name="Number">The revocation's number; null if there was nothing to reverse.</param>
/// <param name="Fault">Reason for failure; null on success.</param>
internal sealed record ControlReply(long? Number, string? Fault)
{
    /// <summary>Refused NARs, newest first; null in replies to other requests.</summary>
    public IReadOnlyList<RefusedNar>? Nars { get; init; }

    /// <summary>The work list, in no order and without roots; null in replies to other requests.</summary>
    public WantedList? Wanted { get; init; }
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(ControlRequest))]
[JsonSerializable(typeof(ControlReply))]
internal sealed partial class ControlJson : JsonSerializerContext;

/// <summary>What the control socket reads and changes of a running proxy.</summary>
internal abstract class ControlledProxy
{
    /// <summary>The current revocations.</summary>
    public abstract RevocationRegister Revocations { get; }

    /// <summary>Refused NARs of upstreams.</summary>
    public abstract RefusedNars RefusedNars { get; }

    /// <summary>The undecided paths that clients asked for.</summary>
    public abstract WantedList Wanted { get; }
}

/// <summary>Lets verbs control a running proxy through a socket in its state directory, accessible only to its user. One line of JSON each
/// way.</summary>
/// <param name="path">The socket.</param>
/// <param name="logger">Logs a missing socket and failures.</param>
internal sealed class ControlSocket(string path, ControlledProxy proxy, TimeProvider time, ILogger logger)
    : SupervisedService(time, logger)
{
    public const string FileName = "control.sock";

    /// <summary>Maximum bytes of a request, and of a reply.</summary>
    private const int MaxRequest = 16 << 10, MaxReply = 16 << 20;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private bool _isListening;

    /// <summary>Sends a request to the proxy running over this state; null if none runs.</summary>
    public static async Task<ControlReply?> AskAsync(string path, ControlRequest request, CancellationToken cancellation)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation);
        }
        catch (Exception exception) when (exception is SocketException or ArgumentOutOfRangeException)
        {
            return null;
        }

        await using var stream = new NetworkStream(socket);
        await WriteLineAsync(stream, request, ControlJson.Default.ControlRequest, cancellation);
        return JsonSerializer.Deserialize(await ReadLineAsync(stream, MaxReply, cancellation), ControlJson.Default.ControlReply);
    }

    /// <summary>Listens before the proxy reports readiness.</summary>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        _isListening = TryListen();
        return base.StartAsync(cancellationToken);
    }

    public override void Dispose()
    {
        base.Dispose();
        _listener.Dispose();
    }

    /// <summary>Removes the socket at shutdown.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (_isListening)
        {
            File.Delete(path);
        }
    }

    protected override IEnumerable<SupervisedLoop> Loops => !_isListening ? [] :
    [
        new SupervisedLoop("control socket", path, TimeSpan.Zero, async stopping =>
            _ = AnswerAsync(await _listener.AcceptAsync(stopping), stopping)),
    ];

    /// <summary>Replaces a stale socket file; never one that still accepts connections.</summary>
    private bool TryListen()
    {
        try
        {
            if (SocketFile.IsTaken(path))
            {
                Logger.NoControlSocket(path, "another proxy over the same state listens there");
                return false;
            }

            _listener.Bind(new UnixDomainSocketEndPoint(path));
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite); // no client can connect before it listens
            _listener.Listen();
            return true;
        }
        catch (Exception exception)
            when (exception is SocketException or IOException or UnauthorizedAccessException or ArgumentOutOfRangeException)
        {
            Logger.NoControlSocket(path, exception.Message);
            return false;
        }
    }

    private async Task AnswerAsync(Socket socket, CancellationToken stopping)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        limit.CancelAfter(Limit);
        try
        {
            await using var stream = new NetworkStream(socket, ownsSocket: true);
            var request = await ReadLineAsync(stream, MaxRequest, limit.Token);
            await Task.Yield(); // disk access must not block the socket's completion thread
            await WriteLineAsync(stream, Answer(request), ControlJson.Default.ControlReply, limit.Token);
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException)
        {
            // The caller disconnected.
        }
    }

    private ControlReply Answer(byte[] line)
    {
        try
        {
            var request = JsonSerializer.Deserialize(line, ControlJson.Default.ControlRequest);
            return request is { Verb: "nars" }
                ? new ControlReply(null, null)
                {
                    Nars = [.. proxy.RefusedNars.List().Where(nar => request.Subject is "" || nar.Path == request.Subject)]
                }
                : request is { Verb: "wanted" } ? new ControlReply(null, null) { Wanted = proxy.Wanted }
                : request is { Verb: "revoke" } && RevokedSubject.TryParse(request.Subject, out var subject)
                    && Revocation.IsReason(request.Reason)
                ? new ControlReply(proxy.Revocations.Give(subject, request.IsUndone, request.Reason)?.Number, null)
                : new ControlReply(null, "unknown request: is the running proxy of another version?");
        }
        catch (JsonException exception)
        {
            return new ControlReply(null, exception.Message);
        }
    }

    private static ValueTask WriteLineAsync<T>(Stream stream, T message, JsonTypeInfo<T> form, CancellationToken cancellation)
    {
        byte[] line = [.. JsonSerializer.SerializeToUtf8Bytes(message, form), (byte)'\n'];
        return stream.WriteAsync(line, cancellation);
    }

    private static async Task<byte[]> ReadLineAsync(Stream stream, int most, CancellationToken cancellation)
    {
        var (buffer, length) = (new byte[most], 0);
        while (length < buffer.Length && await stream.ReadAsync(buffer.AsMemory(length), cancellation) is var read and > 0)
        {
            length += read;
            if (buffer[length - 1] is (byte)'\n')
            {
                break;
            }
        }

        return buffer[..length];
    }
}
