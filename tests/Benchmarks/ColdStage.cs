using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog.Wire;
using LogSigner = TrustixProxy.TransparencyLog.LogSigner;

namespace TrustixProxy.Benchmarks;

/// <summary>Three logs with the same entries, a cache that has narinfos of all paths, and what stands between them and the proxy.</summary>
internal sealed class ColdStage : IAsyncDisposable
{
    /// <summary>How many paths of the closure there are, and how far it reaches.</summary>
    public const int ClosureSize = 1000, Depth = 12;

    private readonly List<IDisposable> _owned = [];
    private readonly List<WebApplication> _apps = [];
    private readonly Dictionary<string, byte[]> _narInfos = [];

    /// <summary>Paths that refer to nothing, and that nothing refers to.</summary>
    public List<StorePath> Singles { get; } = [];

    public StorePath Root { get; private set; } = null!;

    public List<(string Name, Uri Url, string PublicKey, LogClient Client)> Logs { get; } = [];

    public Uri Upstream { get; private set; } = null!;

    /// <param name="directory">Gets the logs' state.</param>
    /// <param name="entries">How many entries the largest log has.</param>
    /// <param name="isWitnessed">Whether three witnesses cosign each log.</param>
    /// <param name="singles">How many paths stand alone.</param>
    public static async Task<ColdStage> MakeAsync(string directory, int entries, bool isWitnessed = false, int singles = 7000)
    {
        var stage = new ColdStage();
        var items = stage.MakePaths(singles);
        stage.Upstream = await stage.ServeAsync(async http =>
        {
            if (stage._narInfos.TryGetValue(http.Request.Path.Value!, out var text))
            {
                http.Response.ContentLength = text.Length;
                await http.Response.Body.WriteAsync(text);
                return;
            }

            http.Response.StatusCode = StatusCodes.Status404NotFound;
        });
        foreach (var name in new[] { "alice", "bob", "carol" })
        {
            await stage.AddLogAsync(
                name, Path.Combine(directory, name), items, name is "alice" ? entries : Math.Min(entries, 10_000), isWitnessed);
        }

        return stage;
    }

    /// <summary>The log's address with the one call taken away: what a reference daemon has.</summary>
    public Task<Uri> WithoutLookupAsync(Uri log)
    {
        var client = new HttpClient();
        _owned.Add(client);
        return ServeAsync(async http =>
        {
            if (http.Request.Path.StartsWithSegments("/trustix_proxy.v1.LookupAPI"))
            {
                http.Response.StatusCode = StatusCodes.Status404NotFound;
                return;
            }

            using var request = new HttpRequestMessage(
                HttpMethod.Post, new Uri(log, http.Request.Path))
            { Content = new StreamContent(http.Request.Body) };
            request.Content.Headers.ContentType = new("application/proto");
            using var response = await client.SendAsync(request);
            http.Response.StatusCode = (int)response.StatusCode;
            http.Response.ContentType = response.Content.Headers.ContentType?.ToString();
            await response.Content.CopyToAsync(http.Response.Body);
        });
    }

    public async ValueTask DisposeAsync()
    {
        _owned.ForEach(part => part.Dispose());
        foreach (var app in _apps)
        {
            await app.DisposeAsync();
        }
    }

    private List<(byte[] Key, byte[] Value)> MakePaths(int singles)
    {
        var random = new Random(5);
        var items = new List<(byte[] Key, byte[] Value)>();
        var level = new List<StorePath>();
        var next = 1_000_000_000;
        for (var depth = Depth; depth >= 0; depth--)
        {
            var below = level;
            var count = depth is 0 ? 1 : (ClosureSize - 1) / Depth + (depth <= (ClosureSize - 1) % Depth ? 1 : 0);
            level = [.. Enumerable.Range(0, count).Select(
                i => Add(next++, depth is 0 ? below : [.. below.Where((_, j) => j % count == i || random.Next(below.Count) < 4)], items))];
        }

        Root = level.Single();
        Singles.AddRange(Enumerable.Range(0, singles).Select(_ => Add(next++, [], items)));
        return items;
    }

    private StorePath Add(int number, IReadOnlyList<StorePath> references, List<(byte[] Key, byte[] Value)> items)
    {
        var (path, _, _) = LogClient.Entry(number);
        var statement = new TrustixProxy.Publisher.BuildStatement(
            path, NixHash.Sha256(System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(~number))), 1000, references);
        var narInfo = new NarInfo
        {
            StorePath = path,
            Url = $"nar/{path.Digest}.nar",
            Compression = "none",
            NarHash = statement.NarHash,
            NarSize = statement.NarSize,
            References = [.. references]
        };
        _narInfos[$"/{path.Digest}.narinfo"] = Encoding.ASCII.GetBytes(narInfo.ToString());
        items.Add((statement.Key, statement.Value));
        return path;
    }

    /// <summary>The origin of a log, and the file of its witnesses.</summary>
    public static (string Origin, string PolicyFile) WitnessesOf(string name, string directory) =>
        ($"{name}.example/nix", Path.Combine(directory, name, "witnesses"));

    private async Task AddLogAsync(
        string name, string directory, List<(byte[] Key, byte[] Value)> items, int entries, bool isWitnessed)
    {
        Directory.CreateDirectory(directory);
        var (key, token) = (NixSecretKey.Generate("bench"), NixSecretKey.Generate("builder"));
        await File.WriteAllTextAsync(Path.Combine(directory, "log.key"), key.Export());
        File.SetUnixFileMode(Path.Combine(directory, "log.key"), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        // longer than a run: no log drops its history beside what is measured
        var signer = new LogSigner(key.Key).Key;
        var (origin, policy) = WitnessesOf(name, Path.GetDirectoryName(directory)!);
        if (isWitnessed)
        {
            _owned.Add(await WitnessBenchmark.WitnessesAsync(signer, origin, policy));
        }

        var node = await NodeProcess.StartAsync(
            directory, token, "01:00:00", policy: isWitnessed ? policy : null, origin: isWitnessed ? origin : null);
        var client = new LogClient(node, token, signer.LogId);
        _owned.AddRange([client, node]);
        foreach (var chunk in items.Chunk(500))
        {
            client.Submit(client.Submission(chunk));
        }

        for (var first = 0; first < entries - items.Count; first += 5000)
        {
            for (var part = first; part < Math.Min(first + 5000, entries - items.Count); part += 500)
            {
                client.Submit(part, Math.Min(500, entries - items.Count - part));
            }

            client.Flush();
        }

        client.Flush();
        var lookup = new LookupRequest { LogID = signer.LogId };
        while (isWitnessed && WitnessBenchmark.Lookup(client, lookup).Head.TreeSize < (ulong)Math.Max(entries, items.Count))
        {
            await Task.Delay(100); // until the witnesses have cosigned all of it
        }

        Logs.Add((name, node.PublicUrl, signer.ToString(), client));
    }

    private async Task<Uri> ServeAsync(RequestDelegate answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.Run(answer);
        await app.StartAsync();
        _apps.Add(app);
        return new Uri(app.Urls.Single());
    }
}
