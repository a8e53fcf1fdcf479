using System.Text;
using Google.Protobuf;
using TrustixProxy.LogNode.Api;
using TrustixProxy.LogNode.Submission;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog.Wire;
using Pair = TrustixProxy.TransparencyLog.Wire.KeyValuePair;

namespace TrustixProxy.Benchmarks;

/// <summary>Makes calls as publishers and proxies do, one after the other.</summary>
internal sealed class LogClient(NodeProcess node, NixSecretKey token, string logId) : IDisposable
{
    private readonly PlainConnection _connection = new(node.PrivateUrl);

    /// <summary>Entry <paramref name="i"/>: its key is a store path, its value 300 bytes.</summary>
    public static (StorePath Path, byte[] Key, byte[] Value) Entry(int i)
    {
        var digest = Nix32.Encode(System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(i)).AsSpan(0, 20));
        StorePath.TryParse($"{digest}-package-{i}", out var path, out _);
        var statement = new BuildStatement(path!, NixHash.Sha256(System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(~i))), 1000 + i, [path!]);
        var value = statement.Value;
        return (path!, statement.Key, [.. value, .. Encoding.ASCII.GetBytes(new string(' ', Math.Max(0, 300 - value.Length)))]);
    }

    public string LogId => logId;

    public void Submit(int first, int count) => Submit(Submission(first, count));

    /// <summary>What submits entries, made beforehand: making them up is not the log's work.</summary>
    public byte[] Submission(int first, int count) => Submission(Enumerable.Range(first, count).Select(Entry).Select(entry => (entry.Key, entry.Value)));

    /// <inheritdoc cref="Submission(int, int)"/>
    public byte[] Submission(IEnumerable<(byte[] Key, byte[] Value)> items) => new SubmitRequest
    {
        LogID = logId,
        Items = { items.Select(item => new Pair { Key = UnsafeByteOperations.UnsafeWrap(item.Key), Value = UnsafeByteOperations.UnsafeWrap(item.Value) }) },
    }.ToByteArray();

    public void Submit(byte[] submission) => Write("Submit", submission);

    public void Flush() => Write("Flush", new FlushRequest { LogID = logId }.ToByteArray());

    public T Read<T>(string procedure, IMessage request, MessageParser<T> parser)
        where T : IMessage<T> =>
        parser.ParseFrom(_connection.Post(procedure, request.ToByteArray(), "")); // the public listener's rate is limited

    public void Dispose() => _connection.Dispose();

    private void Write(string method, byte[] request)
    {
        var procedure = $"/trustix_rpc.v1.LogRPC/{method}";
        _connection.Post(procedure, request, $"{WriteToken.Header}: {WriteToken.Make(token, procedure, request, TimeProvider.System.GetUtcNow())}\r\n");
    }
}
