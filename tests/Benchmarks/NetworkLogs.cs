using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using TrustixProxy.Nix;
using LogSigner = TrustixProxy.TransparencyLog.LogSigner;

namespace TrustixProxy.Benchmarks;

/// <summary>Three log nodes with a few entries that nobody asks for, each behind a server that counts the calls.</summary>
internal sealed class NetworkLogs : IAsyncDisposable
{
    private const int Entries = 1000;

    private readonly List<WebApplication> _apps = [];
    private readonly List<IDisposable> _owned = [];
    private readonly Dictionary<string, ConcurrentDictionary<string, int>> _calls = [];
    private readonly HttpClient _client = new();

    public List<BenchLog> All { get; } = [];

    public static async Task<NetworkLogs> StartAsync(string directory)
    {
        var logs = new NetworkLogs();
        foreach (var name in new[] { "alice", "bob", "carol" })
        {
            await logs.AddAsync(name, Directory.CreateDirectory(Path.Combine(directory, name)).FullName);
        }

        return logs;
    }

    /// <summary>Calls to a log, without those for its head.</summary>
    public int Lookups(string name) =>
        _calls[name].Where(call => !call.Key.EndsWith("/GetHead", StringComparison.Ordinal)).Sum(call => call.Value);

    /// <summary>How often each call was made.</summary>
    public string Describe(string name) =>
        string.Join(", ", _calls[name].OrderByDescending(call => call.Value).Select(call => $"{call.Key.Split('/')[^1]} {call.Value:N0}"));

    public void Forget() => _calls.Values.ToList().ForEach(calls => calls.Clear());

    public async ValueTask DisposeAsync()
    {
        foreach (var app in _apps)
        {
            await app.DisposeAsync();
        }

        _owned.ForEach(part => part.Dispose());
        _client.Dispose();
    }

    private async Task AddAsync(string name, string directory)
    {
        var (key, token) = (NixSecretKey.Generate("bench"), NixSecretKey.Generate("builder"));
        var file = Path.Combine(directory, "log.key");
        await File.WriteAllTextAsync(file, key.Export());
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var node = await NodeProcess.StartAsync(directory, token, "01:00:00");
        var signer = new LogSigner(key.Key).Key;
        using var client = new LogClient(node, token, signer.LogId);
        client.Submit(0, Entries);
        client.Flush();
        _owned.Add(node);
        _calls[name] = [];
        All.Add(new BenchLog(name, await CountAsync(name, node.PublicUrl), signer.ToString()));
    }

    private async Task<Uri> CountAsync(string name, Uri log)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.Run(http => ForwardAsync(http, name, log));
        await app.StartAsync();
        _apps.Add(app);
        return new Uri(app.Urls.Single());
    }

    private async Task ForwardAsync(HttpContext http, string name, Uri log)
    {
        _calls[name].AddOrUpdate(http.Request.Path.Value!, 1, (_, count) => count + 1);
        using var request = new HttpRequestMessage(
            new HttpMethod(http.Request.Method), new Uri(log, http.Request.Path.Value! + http.Request.QueryString));
        if (HttpMethods.IsPost(http.Request.Method))
        {
            request.Content = new StreamContent(http.Request.Body);
            request.Content.Headers.ContentType = new(http.Request.ContentType ?? "application/proto");
        }

        using var response = await _client.SendAsync(request, http.RequestAborted);
        http.Response.StatusCode = (int)response.StatusCode;
        http.Response.ContentType = response.Content.Headers.ContentType?.ToString();
        await response.Content.CopyToAsync(http.Response.Body, http.RequestAborted);
    }
}
