using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using TrustixProxy.Native;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Witness;

/// <summary>A witness of others on loopback, which can be killed and started again over the same state.</summary>
internal sealed class WitnessProcess : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> _errors = new();
    private readonly Func<string, Process> _start;
    private readonly string _address = FreeAddress();
    private Process? _process;

    private WitnessProcess(string name, VerifierKey key, Func<string, Process> start) => (Name, Key, _start) = (name, key, start);

    /// <summary>Its name in a policy.</summary>
    public string Name { get; }

    /// <summary>The key that its cosignatures verify under.</summary>
    public VerifierKey Key { get; }

    /// <summary>Where it takes checkpoints.</summary>
    public Uri Url => new($"http://{_address}/add-checkpoint");

    /// <summary>Its line of a policy.</summary>
    public string Line => $"witness {Name} {Key} http://{_address}\n";

    /// <summary>Makes a litewitness that knows two logs.</summary>
    /// <param name="name">Its name in a policy.</param>
    /// <param name="folder">Where it keeps its state.</param>
    /// <param name="agent">Has its key.</param>
    /// <param name="key">Its key.</param>
    /// <param name="logs">The keys of the logs that it knows.</param>
    public static async Task<WitnessProcess> LiteAsync(
        string name, string folder, SshAgent agent, Ed25519SigningKey key, params VerifierKey[] logs)
    {
        var (database, witness) = (Path.Combine(folder, $"{name}.db"), VerifierKey.OfWitness($"{name}.example/w", key.PublicKey));
        foreach (var log in logs)
        {
            (await Programs.RunAsync("witnessctl", "add-log", "-db", database, "-origin", log.Name)).OrThrow();
            (await Programs.RunAsync("witnessctl", "add-key", "-db", database, "-origin", log.Name, "-key", $"{log}")).OrThrow();
        }

        return new WitnessProcess(name, witness, address => Programs.Start("litewitness", [], "-db", database, "-name", witness.Name,
            "-ssh-agent", agent.Path, "-key", SshAgent.FingerprintOf(key.PublicKey.Bytes), "-listen", address));
    }

    /// <summary>Makes a sigsum-witness, which knows one log.</summary>
    /// <inheritdoc cref="LiteAsync"/>
    public static WitnessProcess OfSigsum(string name, string folder, SshAgent agent, Ed25519SigningKey key, LogKey log)
    {
        var (own, known) = (Path.Combine(folder, $"{name}.pub"), Path.Combine(folder, "log.pub"));
        File.WriteAllText(own, SshAgent.LineOf(key.PublicKey.Bytes));
        File.WriteAllText(known, SshAgent.LineOf(log.Bytes));
        var witness = VerifierKey.OfWitness($"sigsum.org/v1/witness/{Digest.Of(key.PublicKey.Bytes)}", key.PublicKey);
        return new WitnessProcess(name, witness, address => Programs.Start("sigsum-witness", new() { ["SSH_AUTH_SOCK"] = agent.Path },
            "-k", own, $"--log-key={known}", $"--state-file={Path.Combine(folder, $"{name}.state")}", address));
    }

    /// <summary>Starts the program and waits until it listens.</summary>
    public async Task StartAsync()
    {
        var process = _process = _start(_address);
        process.ErrorDataReceived += (_, line) => _errors.Enqueue(line.Data ?? "");
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        await Eventually.UntilAsync(async () =>
        {
            Assert.False(process.HasExited, string.Join('\n', _errors));
            return await IsListeningAsync();
        });
    }

    /// <summary>Kills the program.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await KillAsync();
        }
    }

    private async Task<bool> IsListeningAsync()
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPEndPoint.Parse(_address));
            return true;
        }
        catch (SocketException)
        {
            return false; // not yet
        }
    }

    private static string FreeAddress()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return $"{listener.LocalEndpoint}";
    }
}
