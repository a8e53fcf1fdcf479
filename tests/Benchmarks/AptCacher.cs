using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using TrustixProxy.Apt.RealClients;

namespace TrustixProxy.Benchmarks;

/// <summary>The real apt-cacher-ng, with a cache of its own.</summary>
internal sealed class AptCacher : IDisposable
{
    private readonly Process _process;

    private AptCacher(Process process, Uri url) => (_process, Url) = (process, url);

    public Uri Url { get; }

    /// <summary>Whether the folder has it.</summary>
    public static bool IsThere => File.Exists(Path.Combine(AptFolder.AtHand!, "usr/sbin/apt-cacher-ng"));

    /// <summary>Starts it; null, and said, where it does not listen.</summary>
    public static async Task<AptCacher?> StartAsync(string directory)
    {
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        var port = ((IPEndPoint)free.LocalEndpoint).Port;
        free.Stop();
        Directory.CreateDirectory(directory);
        string[] command =
        [
            "/usr/sbin/apt-cacher-ng", "-i", "ForeGround=1", $"CacheDir={directory}/cache", $"LogDir={directory}/log", $"Port={port}",
            "BindAddress=127.0.0.1", "SocketPath=", "AllowUserPorts=0", "SupportDir=/usr/lib/apt-cacher-ng",
        ];
        var process = Process.Start(Shell.Start(AptFolder.Script, AptFolder.Enter(AptFolder.AtHand!, directory, command), null))!;
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        using var probe = new HttpClient();
        for (var i = 0; ; i++)
        {
            try
            {
                (await probe.GetAsync(new Uri($"http://127.0.0.1:{port}/"))).Dispose();
                return new AptCacher(process, new Uri($"http://127.0.0.1:{port}"));
            }
            catch (HttpRequestException) when (i < 100 && !process.HasExited)
            {
                await Task.Delay(50);
            }
            catch (HttpRequestException)
            {
                Console.Error.WriteLine("apt-cacher-ng does not listen here: it is left out.");
                new AptCacher(process, new Uri($"http://127.0.0.1:{port}")).Dispose();
                return null;
            }
        }
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }
}
