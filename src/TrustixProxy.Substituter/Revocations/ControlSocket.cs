using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Connections;
using TrustixProxy.IO.Supervision;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Substituter.Revocations;

/// <summary>What a verb wants of a running proxy.</summary>
/// <param name="Verb"><c>revoke</c>, or <c>nars</c> for the NARs of upstreams that were refused.</param>
/// <param name="Subject">A <see cref="RevokedSubject"/>; with <c>nars</c> a path, or nothing for all paths.</param>
/// <param name="Reason">Why; one line.</param>
/// <param name="IsUndone">Whether an earlier one is taken back.</param>
internal sealed record ControlRequest(string Verb, string Subject, string Reason, bool IsUndone);

/// <summary>What came of it.</summary>
/// <param name="Number">The revocation's number; null when there was nothing to undo.</param>
/// <param name="Fault">Why it could not be done; null when it could.</param>
internal sealed record ControlReply(long? Number, string? Fault)
{
    /// <summary>NARs that were refused, the newest first; null in answers to other requests.</summary>
    public IReadOnlyList<RefusedNar>? Nars { get; init; }
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(ControlRequest))]
[JsonSerializable(typeof(ControlReply))]
internal sealed partial class ControlJson : JsonSerializerContext;

/// <summary>Where verbs change a running proxy: a socket in its state directory that only its own user may open. One line of JSON there,
/// one back.</summary>
/// <param name="path">The socket.</param>
/// <param name="revocations">What is revoked, at the moment.</param>
/// <param name="refused">NARs of upstreams that were refused, the newest first.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Told that there is no socket, and what fails.</param>
internal sealed class ControlSocket(
    string path, Func<RevocationRegister> revocations, Func<IReadOnlyList<RefusedNar>> refused, TimeProvider time, ILogger logger)
    : SupervisedService(time, logger)
{
    public const string FileName = "control.sock";

    /// <summary>The most bytes of a request, and of an answer.</summary>
    private const int MaxRequest = 16 << 10, MaxReply = 128 << 10;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private bool _isListening;

    /// <summary>Sends a request to the proxy that runs over this state; null when none does.</summary>
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

    /// <summary>It listens before the proxy says that it serves.</summary>
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

    /// <summary>Nobody finds the socket of a proxy that has stopped.</summary>
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

    /// <summary>Takes the place of a socket that a process which has died left behind; never of one that is answered.</summary>
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
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite); // nobody can connect before it listens
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
            await Task.Yield(); // the thread that sockets end on must not be held by the disk
            await WriteLineAsync(stream, Answer(request), ControlJson.Default.ControlReply, limit.Token);
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException)
        {
            // Whoever asked is gone.
        }
    }

    private ControlReply Answer(byte[] line)
    {
        try
        {
            var request = JsonSerializer.Deserialize(line, ControlJson.Default.ControlRequest);
            return request is { Verb: "nars" }
                ? new ControlReply(null, null) { Nars = [.. refused().Where(nar => request.Subject is "" || nar.Path == request.Subject)] }
                : request is { Verb: "revoke" } && RevokedSubject.TryParse(request.Subject, out var subject)
                    && Revocation.IsReason(request.Reason)
                ? new ControlReply(revocations().Give(subject, request.IsUndone, request.Reason)?.Number, null)
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
