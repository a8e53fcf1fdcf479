using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Pipelining;

/// <summary>A client that writes many requests before it reads an answer.</summary>
internal sealed class PipelineClient(Socket socket, Stream stream) : IAsyncDisposable
{
    private readonly StreamReader _reader = new(stream, Encoding.Latin1);

    public static async Task<PipelineClient> ConnectAsync(TestProxy proxy, bool isTls = false)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(proxy.Url.Host, proxy.Url.Port);
        Stream stream = new NetworkStream(socket, ownsSocket: true);
        if (isTls)
        {
            var tls = new SslStream(stream, leaveInnerStreamOpen: false, (_, shown, _, _) => shown?.Subject is "CN=proxy.example");
            await tls.AuthenticateAsClientAsync("proxy.example");
            stream = tls;
        }

        return new PipelineClient(socket, stream);
    }

    public async Task WriteAsync(string text) => await stream.WriteAsync(Encoding.Latin1.GetBytes(text));

    /// <summary>The next answer; null at the end of the connection.</summary>
    public async Task<(int Status, string Body)?> ReadAsync()
    {
        if (await _reader.ReadLineAsync() is not { } line)
        {
            return null;
        }

        var (status, length) = (int.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture), 0);
        while (await _reader.ReadLineAsync() is { Length: > 0 } header)
        {
            length = header.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase)
                ? int.Parse(header["Content-Length:".Length..], CultureInfo.InvariantCulture) : length;
        }

        var body = new char[length];
        await _reader.ReadBlockAsync(body);
        return (status, new string(body));
    }

    /// <summary>This many answers.</summary>
    public async Task<List<(int Status, string Body)>> ReadAsync(int count)
    {
        var answers = new List<(int, string)>();
        while (answers.Count < count)
        {
            answers.Add(await ReadAsync() ?? throw new InvalidOperationException($"The connection ended after {answers.Count} answers."));
        }

        return answers;
    }

    /// <summary>Breaks the connection.</summary>
    public void Reset() => socket.Close(0);

    public async ValueTask DisposeAsync()
    {
        _reader.Dispose();
        await stream.DisposeAsync();
    }
}
