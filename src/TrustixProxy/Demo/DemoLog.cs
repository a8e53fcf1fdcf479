using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;
using TrustixProxy.LogNode.Hosting;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Demo;

/// <summary>A builder's log: a node of its own, which the builder may start again with another past.</summary>
/// <param name="directory">Parent of its folders.</param>
internal sealed class DemoLog(string name, LogSigner signer, string directory) : IAsyncDisposable
{
    private readonly NixSecretKey _token = NixSecretKey.Generate(name);
    private WebApplication? _node;
    private LogSubmitter? _submitter;
    private int _lives;

    public string Name => name;

    public LogKey Key => signer.Key;

    /// <summary>Its address, the same in all its lives.</summary>
    public string Url { get; private set; } = "";

    /// <summary>Starts it, with an empty past.</summary>
    public async Task StartAsync(string listen, CancellationToken cancellation)
    {
        var life = Path.Combine(directory, $"{name}-{++_lives}");
        var socket = $"unix:{life}.sock";
        _node = LogNodeHost.Create(
            new LogNodeOptions
            {
                Listen = [listen],
                PrivateListen = [socket],
                StateDirectory = Directory.CreateDirectory(life).FullName,
                Logs = [new HostedLogOptions(name, signer, [_token.PublicKey])],
            },
            Quiet);
        await _node.StartAsync(cancellation);
        _submitter = new LogSubmitter(new Uri(socket), _token);
        Url = _node.Urls.First(url => url.StartsWith("http://127", StringComparison.Ordinal));
    }

    public async Task TellAsync(IReadOnlyCollection<BuildStatement> statements, CancellationToken cancellation) =>
        await _submitter!.SubmitAsync(await _submitter.FindLogAsync(name, cancellation), statements, cancellation);

    /// <summary>Forgets all, and says something else at the same address, under the same key.</summary>
    public async Task RewriteAsync(IReadOnlyCollection<BuildStatement> statements, CancellationToken cancellation)
    {
        await DisposeAsync();
        await StartAsync(Url, cancellation);
        await TellAsync(statements, cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        _submitter?.Dispose();
        if (_node is not null)
        {
            await _node.DisposeAsync();
        }
    }

    /// <summary>Keeps a host's messages off the screen.</summary>
    public static void Quiet(WebApplicationBuilder builder) => builder.Logging.ClearProviders();
}
