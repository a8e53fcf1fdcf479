using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace TrustixProxy.Benchmarks;

/// <summary>nginx with what it is best at: static files from an open-file cache, a cache in front of another server, and bare
/// forwarding.</summary>
internal sealed class Nginx : IDisposable
{
    private Nginx(Process process, int files, int cache, int forward) =>
        (Measured, Static, Cache, Forward) = (new MeasuredProcess(process), UrlOf(files), UrlOf(cache), UrlOf(forward));

    public MeasuredProcess Measured { get; }

    /// <summary>Serves the files of the directory.</summary>
    public Uri Static { get; }

    /// <summary>Caches what is behind it.</summary>
    public Uri Cache { get; }

    /// <summary>Forwards to what is behind it.</summary>
    public Uri Forward { get; }

    /// <summary>Starts it.</summary>
    /// <param name="directory">A directory of its own.</param>
    /// <param name="files">Where static files are.</param>
    /// <param name="behind">What <see cref="Cache"/> and <see cref="Forward"/> are in front of; null when that is its own
    /// <see cref="Static"/>.</param>
    public static async Task<Nginx> StartAsync(string directory, string files, Uri? behind)
    {
        var ports = FreePorts(3);
        var target = behind?.GetLeftPart(UriPartial.Authority) ?? $"http://127.0.0.1:{ports[0]}";
        Directory.CreateDirectory(directory);
        await File.WriteAllTextAsync(Path.Combine(directory, "nginx.conf"), $$"""
            {{(Environment.IsPrivilegedProcess ? "user root;" : "")}}
            daemon off; worker_processes auto; worker_rlimit_nofile 65536; pid {{directory}}/pid; error_log {{directory}}/error.log crit;
            events { worker_connections 32768; }
            http {
              access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 100000000; keepalive_timeout 600s;
              default_type text/x-nix-narinfo; open_file_cache max=12000 inactive=600s; open_file_cache_valid 600s;
              client_body_temp_path {{directory}}/body; proxy_temp_path {{directory}}/proxy; fastcgi_temp_path {{directory}}/f;
                  uwsgi_temp_path {{directory}}/u; scgi_temp_path {{directory}}/s;
              proxy_cache_path {{directory}}/cache levels=1:2 keys_zone=bench:32m max_size=4g inactive=1d use_temp_path=off;
              proxy_http_version 1.1; proxy_set_header Connection ""; proxy_max_temp_file_size 0;
              upstream behind { server {{new Uri(target).Authority}}; keepalive 64; keepalive_requests 100000000; }
              server { listen 127.0.0.1:{{ports[0]}} backlog=4096; root {{files}}; }
              server { listen 127.0.0.1:{{ports[1]}} backlog=4096; location / { proxy_pass http://behind; proxy_cache bench;
                  proxy_cache_valid 200 1d; } }
              server { listen 127.0.0.1:{{ports[2]}} backlog=4096; location / { proxy_pass http://behind; } }
            }
            """);
        var nginx = new Nginx(Process.Start("nginx",
            ["-e", Path.Combine(directory, "error.log"), "-c", Path.Combine(directory, "nginx.conf")]), ports[0], ports[1], ports[2]);
        using var probe = new HttpClient();
        for (var i = 0; ; i++)
        {
            try
            {
                (await probe.GetAsync(new Uri(nginx.Static, "none"))).Dispose();
                return nginx;
            }
            catch (HttpRequestException) when (i < 100)
            {
                await Task.Delay(50);
            }
        }
    }

    public void Dispose() => Measured.Dispose();

    private static Uri UrlOf(int port) => new($"http://127.0.0.1:{port}");

    private static int[] FreePorts(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        listeners.ForEach(listener => listener.Start());
        int[] ports = [.. listeners.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port)];
        listeners.ForEach(listener => listener.Dispose());
        return ports;
    }
}
