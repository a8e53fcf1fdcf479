using System.Text;
using Google.Protobuf;
using TrustixProxy.LogNode.Api;
using TrustixProxy.LogNode.Submission;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog.Wire;
using Pair = TrustixProxy.TransparencyLog.Wire.KeyValuePair;

namespace TrustixProxy.Benchmarks;

/// <summary>Makes calls as publishers and proxies do.</summary>
internal sealed class LogClient(NodeProcess node, NixSecretKey token, string logId) : IDisposable
{
    private readonly HttpClient _http = new();

    /// <summary>Entry <paramref name="i"/>: its key is a store path, its value 300 bytes.</summary>
    public static (StorePath Path, byte[] Key, byte[] Value) Entry(int i)
    {
        var digest = Nix32.Encode(System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(i)).AsSpan(0, 20));
        StorePath.TryParse($"{digest}-package-{i}", out var path, out _);
        var statement = new BuildStatement(path!, NixHash.Sha256(System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(~i))), 1000 + i, [path!]);
        var value = statement.Value;
        return (path!, statement.Key, [.. value, .. Encoding.ASCII.GetBytes(new string(' ', Math.Max(0, 300 - value.Length)))]);
    }

    public Task SubmitAsync(int first, int count) =>
        WriteAsync("Submit", new SubmitRequest { LogID = logId, Items = { Enumerable.Range(first, count).Select(Entry).Select(entry => new Pair { Key = UnsafeByteOperations.UnsafeWrap(entry.Key), Value = UnsafeByteOperations.UnsafeWrap(entry.Value) }) } });

    public Task FlushAsync() => WriteAsync("Flush", new FlushRequest { LogID = logId });

    public async Task<T> ReadAsync<T>(string procedure, IMessage request, MessageParser<T> parser)
        where T : IMessage<T> =>
        parser.ParseFrom(await SendAsync(new Uri(node.PrivateUrl, procedure), request.ToByteArray(), null)); // the public listener's rate is limited

    public void Dispose() => _http.Dispose();

    private async Task WriteAsync(string method, IMessage request)
    {
        var (procedure, bytes) = ($"/trustix_rpc.v1.LogRPC/{method}", request.ToByteArray());
        await SendAsync(new Uri(node.PrivateUrl, procedure), bytes, WriteToken.Make(token, procedure, bytes, TimeProvider.System.GetUtcNow()).ToString());
    }

    private async Task<byte[]> SendAsync(Uri url, byte[] bytes, string? header)
    {
        using var message = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ByteArrayContent(bytes) };
        message.Content.Headers.ContentType = new("application/proto");
        if (header is not null)
        {
            message.Headers.Add(WriteToken.Header, header);
        }

        using var response = await _http.SendAsync(message);
        var body = await response.Content.ReadAsByteArrayAsync();
        return response.IsSuccessStatusCode ? body : throw new HttpRequestException(Encoding.UTF8.GetString(body));
    }
}
