using System.Text;
using Google.Protobuf;
using TrustixProxy.LogNode.Api;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.TransparencyLog.Wire;
using Pair = TrustixProxy.TransparencyLog.Wire.KeyValuePair;

namespace TrustixProxy.Benchmarks;

/// <summary>Makes calls as publishers and proxies do, one after the other. Its tokens are the reference's, which are the same for every
/// call: making them is the publisher's work, and not the log's.</summary>
internal sealed class LogClient(NodeProcess node, NixSecretKey token, string logId) : IDisposable
{
    private const string Submitting = "/trustix_rpc.v1.LogRPC/Submit", Flushing = "/trustix_rpc.v1.LogRPC/Flush";

    private readonly PlainConnection _connection = new(node.PrivateUrl);
    private readonly string _submitToken = TokenLine(token, Submitting), _flushToken = TokenLine(token, Flushing);

    /// <summary>Entry <paramref name="i"/>: its key is a store path, its value 300 bytes.</summary>
    public static (StorePath Path, byte[] Key, byte[] Value) Entry(int i)
    {
        var digest = Nix32.Encode(System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(i)).AsSpan(0, 20));
        StorePath.TryParse($"{digest}-package-{i}", out var path, out _);
        var statement = new BuildStatement(
            path!, NixHash.Sha256(System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(~i))), 1000 + i, [path!]);
        var value = statement.Value;
        return (path!, statement.Key, [.. value, .. Encoding.ASCII.GetBytes(new string(' ', Math.Max(0, 300 - value.Length)))]);
    }

    public string LogId => logId;

    public void Submit(int first, int count) => Submit(Submission(first, count));

    /// <summary>What submits entries, made beforehand: making them up is not the log's work.</summary>
    public byte[] Submission(int first, int count) =>
        Submission(Enumerable.Range(first, count).Select(Entry).Select(entry => (entry.Key, entry.Value)));

    /// <inheritdoc cref="Submission(int, int)"/>
    public byte[] Submission(IEnumerable<(byte[] Key, byte[] Value)> items) => new SubmitRequest
    {
        LogID = logId,
        Items = { items.Select(
            item => new Pair { Key = UnsafeByteOperations.UnsafeWrap(item.Key), Value = UnsafeByteOperations.UnsafeWrap(item.Value) }) },
    }.ToByteArray();

    public void Submit(byte[] submission) => _connection.Post(Submitting, submission, _submitToken);

    public void Flush() => _connection.Post(Flushing, new FlushRequest { LogID = logId }.ToByteArray(), _flushToken);

    public T Read<T>(string procedure, IMessage request, MessageParser<T> parser)
        where T : IMessage<T> =>
        parser.ParseFrom(_connection.Post(procedure, request.ToByteArray(), "")); // the public listener's rate is limited

    public void Dispose() => _connection.Dispose();

    private static string TokenLine(NixSecretKey token, string procedure) =>
        $"{WriteToken.Header}: {WriteToken.MakeReference(token, procedure)}\r\n";
}
