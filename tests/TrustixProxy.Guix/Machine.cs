using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using TrustixProxy.Testing;

namespace TrustixProxy.Guix;

/// <summary>A machine with Guix: a store, state, keys and build logs of its own.</summary>
internal sealed class Machine : IAsyncDisposable
{
    /// <summary>How long one command may take, in seconds.</summary>
    private const int Limit = 60;

    private readonly string _lab;
    private readonly string _name;
    private readonly List<Process> _services = [];

    /// <param name="lab">The folder that all machines share.</param>
    /// <param name="name">Its host name.</param>
    public Machine(string lab, string name)
    {
        (_lab, _name) = (lab, name);
        foreach (var folder in new[] { "gnu", "var", "etc", "log/guix" })
        {
            Directory.CreateDirectory(PathOf(folder));
        }
    }

    /// <summary>A file or folder of the machine, as this process sees it.</summary>
    public string PathOf(string file) => Path.Combine(_lab, _name, file);

    /// <summary>Where the machine has a store path, as this process sees it.</summary>
    public string StoreFile(string path) => PathOf(path.TrimStart('/'));

    /// <summary>Whether the store has a path.</summary>
    public bool Has(string path) => Path.Exists(StoreFile(path));

    /// <summary>Whether all of these store paths are valid.</summary>
    public async Task<bool> IsValidAsync(params IEnumerable<string> paths) =>
        (await RunAsync(["guix", "gc", "--references", .. paths])).Code is 0;

    /// <summary>Runs a command on the machine.</summary>
    public Task<Result> RunAsync(params IEnumerable<string> command) => Shell.RunAsync(GuixFolder.Script, Enter(command), null, Limit);

    /// <summary>Runs a verb of the program on this system, with the machine's store and database in their places.</summary>
    public Task<Result> RunVerbAsync(params IEnumerable<string> arguments) => Shell.RunAsync(
        GuixFolder.Script, ["host", Path.Combine(_lab, _name), .. Executable.Command, .. arguments], null, Limit);

    /// <summary>Makes the key that the machine signs with.</summary>
    /// <returns>Its public key, an S-expression on one line.</returns>
    public async Task<string> GenerateKeyAsync()
    {
        (await RunAsync("guix", "archive", "--generate-key")).OrThrow();
        var lines = await File.ReadAllLinesAsync(PathOf("etc/signing-key.pub"));
        return string.Join(' ', lines.Select(line => line.Trim()));
    }

    /// <summary>Trusts these keys and no others.</summary>
    public async Task AuthorizeAsync(params IEnumerable<string> publicKeys)
    {
        await File.WriteAllTextAsync(PathOf("etc/acl"), "(acl)");
        foreach (var key in publicKeys)
        {
            await AddKeyAsync(key);
        }
    }

    /// <summary>Trusts one more key.</summary>
    public async Task AddKeyAsync(string publicKey)
    {
        var file = Path.Combine(_lab, $"{Guid.NewGuid():n}.pub");
        await File.WriteAllTextAsync(file, publicKey);
        (await RunAsync("sh", "-c", $"guix archive --authorize < {file}")).OrThrow();
    }

    /// <summary>Starts the daemon, and waits until it answers.</summary>
    /// <param name="substitutes">Addresses to substitute from; none are used when there are none.</param>
    public async Task StartDaemonAsync(params IReadOnlyCollection<string> substitutes)
    {
        string[] source = substitutes.Count is 0 ? ["--no-substitutes"] : [$"--substitute-urls={string.Join(' ', substitutes)}"];
        Start(["guix-daemon", "--disable-chroot", "--no-offload", "--log-compression=gzip", .. source]);
        var socket = PathOf("var/daemon-socket/socket");
        await Eventually.UntilAsync(() =>
        {
            using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            return CanConnect(probe, () => new UnixDomainSocketEndPoint(socket));
        });
    }

    /// <summary>Starts <c>guix publish</c>, and waits until it answers.</summary>
    /// <returns>Its address.</returns>
    public async Task<string> PublishAsync(params IEnumerable<string> options)
    {
        var port = FreePort();
        Start(["guix", "publish", "--listen=127.0.0.1", $"--port={port}", .. options]);
        await Eventually.UntilAsync(() =>
        {
            using var probe = new Socket(SocketType.Stream, ProtocolType.Tcp);
            return CanConnect(probe, () => new IPEndPoint(IPAddress.Loopback, port));
        });
        return $"http://127.0.0.1:{port}";
    }

    /// <summary>Builds a derivation by a script of the static shell.</summary>
    /// <returns>The derivation and its output.</returns>
    public async Task<(string Derivation, string Output)> BuildAsync(string name, string script)
    {
        var built = (await RunScriptAsync("build.scm", name, script)).OrThrow();
        return built.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries) is [.., var derivation, var output]
            ? (derivation, output) : throw new InvalidOperationException(built.ToString());
    }

    /// <summary>Runs a Scheme script of the suite.</summary>
    public Task<Result> RunScriptAsync(string script, params IEnumerable<string> arguments)
    {
        var file = Path.Combine(PathOf("var"), script);
        File.Copy(Path.Combine(AppContext.BaseDirectory, script), file, overwrite: true);
        return RunAsync(["guix", "repl", "--", $"/var/guix/{script}", .. arguments]);
    }

    /// <summary>Ends all that runs on the machine.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var service in _services)
        {
            service.Kill(); // the processes of its namespace end with it
            await service.WaitForExitAsync();
            service.Dispose();
        }

        _services.Clear();
    }

    private static bool CanConnect(Socket probe, Func<EndPoint> address)
    {
        try
        {
            probe.Connect(address());
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    private string[] Enter(IEnumerable<string> command) =>
        ["enter", GuixFolder.AtHand!.Value.Folder, _lab, Path.Combine(_lab, _name), .. command];

    private void Start(IEnumerable<string> command)
    {
        var start = Shell.Start(GuixFolder.Script, Enter(command), null);
        var process = Process.Start(start)!;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        _services.Add(process);
    }
}
