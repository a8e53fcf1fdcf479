using System.Net;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;
using TrustixProxy.LogNode.Archive;
using TrustixProxy.LogNode.Hosting;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Testing;

/// <summary>The log node as it is, with one log and a state directory of its own.</summary>
public sealed class TestLogNode : IAsyncDisposable
{
    private readonly bool _ownsDirectory;
    private WebApplication? _app;

    public TestLogNode(string? directory = null, LogSigner? signer = null, NixSecretKey? token = null)
    {
        _ownsDirectory = directory is null;
        StateDirectory = directory ?? Directory.CreateTempSubdirectory("trustix-log-").FullName;
        Signer = signer ?? new LogSigner(NixSecretKey.Generate("x").Key);
        Token = token ?? NixSecretKey.Generate("peer");
    }

    public string StateDirectory { get; }

    public LogSigner Signer { get; }

    public NixSecretKey Token { get; }

    public string LogId => Signer.Key.LogId;

    /// <summary>Lines that the node has logged.</summary>
    public System.Collections.Concurrent.ConcurrentQueue<string> Lines { get; } = new();

    /// <summary>What is changed of the options before a start.</summary>
    public Func<LogNodeOptions, LogNodeOptions> Change { get; set; } = options => options;

    /// <summary>Answers <c>/metrics</c>; nothing does when null.</summary>
    public Microsoft.AspNetCore.Http.RequestDelegate? Metrics { get; set; }

    public Uri PublicUrl => new(_app!.Urls.First());

    public Uri PrivateUrl => new(_app!.Urls.Last());

    public HttpClient Client { get; } = new(new SocketsHttpHandler { AutomaticDecompression = DecompressionMethods.None });

    public async Task<TestLogNode> StartAsync(TimeProvider? time = null)
    {
        _app = LogNodeHost.Create(
            Change(new LogNodeOptions
            {
                Listen = ["http://127.0.0.1:0"],
                PrivateListen = ["http://127.0.0.1:0"],
                StateDirectory = StateDirectory,
                Logs = [Options],
                FlushInterval = TimeSpan.FromHours(1),
            }),
            builder =>
            {
                builder.Logging.ClearProviders();
                builder.Logging.AddProvider(new LineLogger(Lines));
            },
            Metrics,
            time);
        await _app.StartAsync();
        return this;
    }

    /// <summary>The log's name in checkpoints; null without them.</summary>
    public string? Origin { get; init; }

    /// <summary>The log as it is configured.</summary>
    public HostedLogOptions Options => new("test", Signer, [Token.PublicKey]) { Origin = Origin };

    /// <summary>Writes the log as static files.</summary>
    public (long Entries, int Files, int Version) Export(string folder) =>
        LogExport.Run(Path.Combine(StateDirectory, "test.sqlite"), Signer, folder, Origin);

    public LogSubmitter Submitter(NixSecretKey? token = null) => new(PrivateUrl, token ?? Token);

    /// <summary>Submits raw items and flushes them.</summary>
    public async Task SubmitAsync(params (byte[] Key, byte[] Value)[] items)
    {
        var submit = new TransparencyLog.Wire.SubmitRequest { LogID = LogId };
        submit.Items.AddRange(items.Select(item =>
            new TransparencyLog.Wire.KeyValuePair { Key = ByteString.CopyFrom(item.Key), Value = ByteString.CopyFrom(item.Value) }));
        await WriteAsync("/trustix_rpc.v1.LogRPC/Submit", submit);
        await WriteAsync("/trustix_rpc.v1.LogRPC/Flush", new TransparencyLog.Wire.FlushRequest { LogID = LogId });
    }

    public async Task WriteAsync(string procedure, IMessage request)
    {
        using var message = Request(PrivateUrl, procedure, request);
        message.Headers.Add("Trustix-Token", TokenFor(procedure));
        using var response = await Client.SendAsync(message);
        await CheckAsync(response);
    }

    /// <summary>A header that the reference's form of tokens makes for a call.</summary>
    public string TokenFor(string procedure) =>
        System.Text.Json.JsonSerializer.Serialize(new
        {
            name = Token.PublicKey.Name,
            sig = Token.Sign(System.Text.Encoding.ASCII.GetBytes($"{Token.PublicKey.Name}:{procedure}"))
        });

    /// <summary>A read call that has to be answered well.</summary>
    public async Task<T> CallAsync<T>(string procedure, IMessage request, MessageParser<T> parser)
        where T : IMessage<T>
    {
        using var message = Request(PublicUrl, procedure.StartsWith('/') ? procedure : "/trustix_api.v1." + procedure, request);
        using var response = await Client.SendAsync(message);
        await CheckAsync(response);
        return parser.ParseFrom(await response.Content.ReadAsByteArrayAsync());
    }

    public Task<TransparencyLog.Wire.LogHead> HeadAsync() =>
        CallAsync("LogAPI/GetHead", new TransparencyLog.Wire.LogHeadRequest { LogID = LogId }, TransparencyLog.Wire.LogHead.Parser);

    public async Task StopAsync()
    {
        await _app!.StopAsync();
        await _app.DisposeAsync();
        _app = null;
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
        {
            await StopAsync();
        }

        Client.Dispose();
        if (_ownsDirectory)
        {
            Directory.Delete(StateDirectory, recursive: true);
        }
    }

    private static async Task CheckAsync(HttpResponseMessage response)
    {
        if (!response.IsSuccessStatusCode)
        {
            throw new HttpRequestException($"{(int)response.StatusCode} {await response.Content.ReadAsStringAsync()}");
        }
    }

    private static HttpRequestMessage Request(Uri url, string procedure, IMessage request)
    {
        var message = new HttpRequestMessage(
            HttpMethod.Post, new Uri(url, procedure))
        { Content = new ByteArrayContent(request.ToByteArray()) };
        message.Content.Headers.ContentType = new("application/proto");
        return message;
    }
}
