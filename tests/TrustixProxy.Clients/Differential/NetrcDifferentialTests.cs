using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using TrustixProxy.Configuration;

namespace TrustixProxy.Clients.Differential;

/// <summary>The credentials that Nix sends to a cache from a netrc file, the proxy sends too; <c>differences.txt</c> lists the
/// exceptions.</summary>
[Collection(ClientLabCollection.Name)]
public sealed class NetrcDifferentialTests(ClientLab lab)
{
    private const string Nothing = "nothing", Wanted = "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-none";

    /// <summary>Asks the cache for one path with each file.</summary>
    private const string Script = """
        ask() {
          NIX_CONFIG="$NIX_CONFIG
        netrc-file = $PWD/$2" timeout 60 nix-store -r --option substituters "$1/$2" "$3" </dev/null >/dev/null 2>&1
        }
        nix-store --init
        i=0
        while [ -e $i ]; do ask "$0" $i "$1" & i=$((i + 1)); [ $((i % 6)) -ne 0 ] || wait; done
        wait
        """;

    [Fact]
    public async Task The_credentials_that_nix_sends_from_a_netrc_file_the_proxy_sends()
    {
        var sent = new ConcurrentDictionary<string, string>();
        await using var cache = await StartCacheAsync(sent);
        var folder = Directory.CreateDirectory(Path.Combine(lab.Directory, "netrc")).FullName;
        foreach (var (i, odd) in NetrcOddities.All.Index())
        {
            await File.WriteAllTextAsync(Path.Combine(folder, i.ToString(CultureInfo.InvariantCulture)), odd.Text);
        }

        var byNix = new List<(string Version, IReadOnlyDictionary<string, string> Sent)>();
        foreach (var client in NixClient.AtHand)
        {
            sent.Clear();
            var machine = new Machine(client, $"netrc-{client.Version}", ("download-attempts", "1"));
            var url = cache.Urls.Single().Replace("127.0.0.1", "localhost", StringComparison.Ordinal);
            await lab.RunAsync(machine, 300, "sh", "-c", $"cd {folder}\n{Script}", url, Wanted);
            byNix.Add((client.Version, new Dictionary<string, string>(sent)));
        }

        AssertListed(byNix);
    }

    private static void AssertListed(List<(string Version, IReadOnlyDictionary<string, string> Sent)> byNix)
    {
        var (listed, wrong) = (Differences.Read("netrc"), new List<string>());
        foreach (var (i, (name, text)) in NetrcOddities.All.Index())
        {
            var ours = NetrcFile.TryFind(text, "localhost", out var credentials, out _) ? credentials.Header!.ToString() : Nothing;
            var others = byNix.Select(nix => (nix.Version, Sent: nix.Sent.GetValueOrDefault($"{i}", Nothing)))
                .Where(nix => nix.Sent != ours).ToList();
            var versions = string.Join(", ", others.Select(nix => nix.Version));
            if (versions != listed.GetValueOrDefault(name, ""))
            {
                wrong.Add($"{name} | {versions} | listed: {listed.GetValueOrDefault(name, "-")}; ours {Plain(ours)}, "
                    + string.Join(", ", others.Select(nix => $"{nix.Version} {Plain(nix.Sent)}")));
            }
        }

        Assert.All(byNix, nix => Assert.True(nix.Sent.Values.Count(header => header is not Nothing) > 20));
        Assert.True(wrong.Count is 0, string.Join('\n', wrong));
        Assert.Empty(listed.Keys.Except(NetrcOddities.All.Select(odd => odd.Name)));
    }

    private static string Plain(string header) => header.StartsWith("Basic ", StringComparison.Ordinal)
        ? $"'{System.Text.Encoding.UTF8.GetString(Convert.FromBase64String(header[6..]))}'"
        : header;

    /// <summary>A cache without paths that notes the credentials sent to each folder.</summary>
    private static async Task<WebApplication> StartCacheAsync(ConcurrentDictionary<string, string> sent)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.Run(context =>
        {
            var parts = context.Request.Path.Value!.Split('/', StringSplitOptions.RemoveEmptyEntries);
            sent[parts[0]] = context.Request.Headers.Authorization is [{ Length: > 0 } header] ? header : Nothing;
            context.Response.StatusCode = parts[^1] is "nix-cache-info" ? StatusCodes.Status200OK : StatusCodes.Status404NotFound;
            return Task.CompletedTask;
        });
        await app.StartAsync();
        return app;
    }
}
