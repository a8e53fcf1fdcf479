using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace TrustixProxy.EndToEnd;

/// <summary>nginx, as organisations put it before their replicas: the next one is asked when one does not answer.</summary>
internal sealed class Balancer : IAsyncDisposable
{
    private readonly Process _process;

    private Balancer(Process process, string url) => (_process, Url) = (process, url);

    public string Url { get; }

    /// <param name="directory">A directory of its own.</param>
    /// <param name="replicas">Where requests go, in turn.</param>
    public static async Task<Balancer> StartAsync(string directory, params string[] replicas)
    {
        var port = FreePort();
        Directory.CreateDirectory(directory);
        await File.WriteAllTextAsync(Path.Combine(directory, "nginx.conf"), $$"""
            {{(Environment.IsPrivilegedProcess ? "user root;" : "")}}
            daemon off; master_process off; pid {{directory}}/pid; error_log {{directory}}/error.log crit;
            events { worker_connections 1024; }
            http {
              access_log off; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_connect_timeout 1s;
                  proxy_next_upstream error timeout;
              client_body_temp_path {{directory}}/body; proxy_temp_path {{directory}}/proxy; fastcgi_temp_path {{directory}}/f;
                  uwsgi_temp_path {{directory}}/u; scgi_temp_path {{directory}}/s;
              upstream replicas {
                  {{string.Concat(replicas.Select(url => $"server {new Uri(url).Authority} max_fails=1 fail_timeout=5s; "))}} }
              server { listen 127.0.0.1:{{port}}; location / { proxy_pass http://replicas; } }
            }
            """);
        var process = Process.Start("nginx", ["-e", Path.Combine(directory, "error.log"), "-c", Path.Combine(directory, "nginx.conf")]);
        var balancer = new Balancer(process, $"http://127.0.0.1:{port}");
        using var probe = new HttpClient();
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                (await probe.GetAsync(new Uri($"{balancer.Url}/nix-cache-info"))).Dispose();
                return balancer;
            }
            catch (HttpRequestException) when (attempt < 200 && !process.HasExited)
            {
                await Task.Delay(50);
            }
        }
    }

    /// <summary>A port that nobody listens at now.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
