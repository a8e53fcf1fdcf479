using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

public sealed class ActivationTests
{
    private const int SetDescriptorFlags = 2;

    [Fact]
    public async Task A_socket_that_systemd_passes_takes_the_place_of_the_configured_addresses_and_speaks_TLS_where_there_is_a_certificate()
    {
        using var folder = new Folder();
        var (file, key) = TestCertificate.Write(folder.Path, "proxy.example");
        var config = folder.File("c.json", $$"""
            { "stateDirectory": "{{folder.Path}}/state", "operations": { "listen": [] }, "listen": ["unix:{{folder.Path}}/unused"],
                "tls": { "certificateFile": "{{file}}", "keyFile": "{{key}}" } }
            """);
        using var passed = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        passed.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        passed.Listen();
        Assert.Equal(0, fcntl((int)passed.Handle, SetDescriptorFlags, 0)); // it is to live on in the child

        var script = $"exec 3<&{passed.Handle}; export LISTEN_PID=$$ LISTEN_FDS=1; exec {Executable.Words} serve --config '{config}'";
        using var process = Process.Start(new ProcessStartInfo("bash", ["-c", script]) { RedirectStandardError = true })!;
        using var client = new HttpClient(new SocketsHttpHandler
        {
            SslOptions =
            { RemoteCertificateValidationCallback = (_, shown, _, _) => shown!.Subject is "CN=proxy.example" }
        });
        // the connection waits in the socket until the proxy takes it
        var info = await client.GetStringAsync(new Uri($"https://{passed.LocalEndPoint}/nix-cache-info"));
        process.Kill();
        var lines = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();

        Assert.StartsWith("StoreDir: /nix/store", info, StringComparison.Ordinal);
        Assert.Contains($"serving at https://{passed.LocalEndPoint}\n", lines, StringComparison.Ordinal);
        Assert.False(File.Exists($"{folder.Path}/unused"));
    }

    [DllImport("libc")]
    private static extern int fcntl(int descriptor, int command, int flags);
}
