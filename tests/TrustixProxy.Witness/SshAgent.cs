using System.Buffers.Binary;
using System.Net.Sockets;
using System.Security.Cryptography;
using TrustixProxy.Native;

namespace TrustixProxy.Witness;

/// <summary>An ssh-agent, which signs for witnesses with Ed25519 keys.</summary>
/// <remarks>
/// <code>
/// message: length of the rest, kind, fields    text: length, bytes    lengths and numbers: 4 bytes, big-endian
/// 11 (which keys?)              ──▶ 12, number of keys, each: text of the key, text of a comment
/// 13, text of a key, text, flags ──▶ 14, text of the signature
/// all else                      ──▶ 5
/// </code>
/// Source: draft-ietf-sshm-ssh-agent.</remarks>
internal sealed class SshAgent : IAsyncDisposable
{
    private const int MaxMessage = 16 << 10;

    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly CancellationTokenSource _end = new();
    private readonly Ed25519SigningKey[] _keys;
    private readonly Task _serving;

    /// <param name="socket">Path of the socket; nothing is there yet.</param>
    /// <param name="keys">The keys that the agent has.</param>
    public SshAgent(string socket, params Ed25519SigningKey[] keys)
    {
        (Path, _keys) = (socket, keys);
        _listener.Bind(new UnixDomainSocketEndPoint(socket));
        _listener.Listen();
        _serving = ServeAsync();
    }

    /// <summary>Path of the socket.</summary>
    public string Path { get; }

    /// <summary>Returns a key as a line of OpenSSH.</summary>
    public static string LineOf(ReadOnlySpan<byte> key) => $"ssh-ed25519 {Convert.ToBase64String(BlobOf(key))}\n";

    /// <summary>Returns a key's fingerprint.</summary>
    public static string FingerprintOf(ReadOnlySpan<byte> key) =>
        $"SHA256:{Convert.ToBase64String(SHA256.HashData(BlobOf(key))).TrimEnd('=')}";

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _serving;
        _listener.Dispose();
        _end.Dispose();
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                _ = AnswerAllAsync(await _listener.AcceptAsync(_end.Token));
            }
        }
        catch (OperationCanceledException)
        {
            // The agent is disposed.
        }
    }

    private async Task AnswerAllAsync(Socket client)
    {
        await using var stream = new NetworkStream(client, ownsSocket: true);
        var length = new byte[4];
        while (await stream.ReadAtLeastAsync(length, length.Length, throwOnEndOfStream: false) == length.Length)
        {
            var message = new byte[Math.Min(BinaryPrimitives.ReadUInt32BigEndian(length), MaxMessage)];
            await stream.ReadExactlyAsync(message);
            await stream.WriteAsync(Text(Answer(message)));
        }
    }

    private byte[] Answer(ReadOnlySpan<byte> message) => message[0] switch
    {
        11 => [12, .. Number(_keys.Length), .. _keys.SelectMany(key => (byte[])[.. Text(BlobOf(key.PublicKey.Bytes)), .. Text([])])],
        13 => Sign(message[1..]),
        _ => [5],
    };

    private byte[] Sign(ReadOnlySpan<byte> fields)
    {
        var blob = ReadText(fields).ToArray();
        var rest = fields[(4 + blob.Length)..];
        var key = _keys.FirstOrDefault(one => BlobOf(one.PublicKey.Bytes).AsSpan().SequenceEqual(blob));
        return key is null ? [5] : [14, .. Text([.. Text("ssh-ed25519"u8), .. Text(key.Sign(ReadText(rest)))])];
    }

    private static ReadOnlySpan<byte> ReadText(ReadOnlySpan<byte> fields) =>
        fields.Slice(4, BinaryPrimitives.ReadInt32BigEndian(fields));

    private static byte[] BlobOf(ReadOnlySpan<byte> key) => [.. Text("ssh-ed25519"u8), .. Text(key)];

    private static byte[] Text(ReadOnlySpan<byte> bytes) => [.. Number(bytes.Length), .. bytes];

    private static byte[] Number(int number)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, number);
        return bytes;
    }
}
