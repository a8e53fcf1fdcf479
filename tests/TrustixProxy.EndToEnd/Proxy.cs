namespace TrustixProxy.EndToEnd;

/// <summary>A proxy that a test has started.</summary>
internal sealed class Proxy : IAsyncDisposable
{
    private readonly string _directory;
    private readonly object _configuration;
    private Daemon _daemon;

    private Proxy(string directory, string publicKey, object configuration, Daemon daemon) =>
        (_directory, PublicKey, _configuration, _daemon) = (directory, publicKey, configuration, daemon);

    public string PublicKey { get; }

    public string Url => _daemon.Urls[0];

    public string Lines => _daemon.Lines;

    public static async Task<Proxy> StartAsync(string directory, string publicKey, object configuration) =>
        new(directory, publicKey, configuration, await Daemon.StartAsync(["serve"], directory, configuration));

    /// <summary>Ends it without a word.</summary>
    public Task KillAsync() => _daemon.KillAsync();

    /// <summary>Kills it, and starts it again over the same state, at the same address.</summary>
    public async Task RestartAsync()
    {
        var url = Url;
        await _daemon.KillAsync();
        var again = System.Text.Json.Nodes.JsonNode.Parse(System.Text.Json.JsonSerializer.Serialize(_configuration))!;
        again["listen"] = new System.Text.Json.Nodes.JsonArray(url);
        _daemon = await Daemon.StartAsync(["serve"], _directory, again);
    }

    public async Task<(int Status, string? Decision, string Text)> AskAsync(string path)
    {
        using var client = new HttpClient();
        using var response = await client.GetAsync(new Uri($"{Url}/{path}"));
        var decision = response.Headers.TryGetValues("X-Trustix-Decision", out var values) ? values.Single() : null;
        return ((int)response.StatusCode, decision, await response.Content.ReadAsStringAsync());
    }

    public ValueTask DisposeAsync() => _daemon.DisposeAsync();
}
