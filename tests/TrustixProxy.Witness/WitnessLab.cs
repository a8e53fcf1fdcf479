using System.Text;
using TrustixProxy.Consensus;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.Logs.Client;
using TrustixProxy.Native;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Witness;

/// <summary>A node with one log, and three litewitnesses, two of which are enough.</summary>
internal sealed class WitnessLab : IAsyncDisposable
{
    public const string Origin = "log.example/nix";

    /// <summary>What the origins of the log and its map-head log end in.</summary>
    public static readonly string[] Trees = ["", Checkpoint.MapHeads];

    private readonly TestFolder _folder = new();
    private readonly LogSigner _signer = new(NixSecretKey.Generate("x").Key);
    private readonly Ed25519SigningKey[] _keys = [.. Enumerable.Range(0, 3).Select(_ => Ed25519SigningKey.Generate())];
    private readonly SshAgent _agent;

    private WitnessLab()
    {
        _agent = new SshAgent(Path.Combine(_folder.Path, "agent"), _keys);
        Node = NodeOf(null);
    }

    public List<WitnessProcess> Witnesses { get; } = [];

    public TestLogNode Node { get; }

    /// <summary>Starts all of it.</summary>
    public static async Task<WitnessLab> StartAsync()
    {
        var lab = new WitnessLab();
        foreach (var (i, key) in lab._keys.Index())
        {
            var witness = await WitnessProcess.LiteAsync($"w{i + 1}", lab._folder.Path, lab._agent, key, [.. Trees.Select(lab.KeyOf)]);
            lab.Witnesses.Add(witness);
            await witness.StartAsync();
        }

        await lab.Node.StartAsync();
        return lab;
    }

    /// <summary>Makes a node with the same key and witnesses.</summary>
    /// <param name="directory">Its state; its own when null.</param>
    /// <param name="isWithheld">Whether readers see a head only once it is cosigned.</param>
    public TestLogNode NodeOf(string? directory, bool isWithheld = true) => new(directory, _signer)
    {
        Origin = Origin,
        Change = options => options with
        {
            Logs = [options.Logs[0] with { Witnesses = new WitnessOptions(Policy, TimeSpan.FromMilliseconds(50), isWithheld) }],
        },
    };

    /// <summary>Starts a proxy with an upstream and one elector: the log, with two of its three witnesses.</summary>
    /// <param name="node">The node that has the log.</param>
    /// <param name="peers">Operations listeners of proxies to exchange heads with.</param>
    public async Task<TestProxy> ProxyAsync(TestLogNode node, params Uri[] peers)
    {
        var demand = new WitnessDemand(Origin, _signer.Key, Policy, TimeSpan.FromDays(1));
        var elector = new Elector.Log("alice", "alice", _signer.Key) { Witnesses = demand };
        var proxy = new TestProxy
        {
            Change = options => options with
            {
                Logs = [new LogOptions(elector, node.PublicUrl)],
                Policy = new Policy([elector]),
                GossipPeers = [.. peers],
                GossipInterval = TimeSpan.FromMilliseconds(200),
                Deadline = TimeSpan.FromSeconds(20),
            },
        };
        await proxy.AddUpstreamAsync("main");
        return await proxy.StartAsync();
    }

    /// <summary>Waits until readers see a head of this size.</summary>
    public Task VisibleAsync(ulong size) => Eventually.UntilAsync(async () => (await Node.HeadAsync()).TreeSize == size);

    /// <summary>Waits until a node says this of its witnesses.</summary>
    public static Task SaysAsync(TestLogNode node, string text) => Eventually.UntilAsync(async () =>
    {
        using var response = await node.Client.GetAsync(new Uri(node.PrivateUrl, "/healthz"));
        return (await response.Content.ReadAsStringAsync()).Contains(text, StringComparison.Ordinal);
    });

    /// <summary>Gets a checkpoint as the node serves it.</summary>
    public static async Task<SignedNote> CheckpointAsync(TestLogNode node, string tree)
    {
        var bytes = await node.Client.GetByteArrayAsync(new Uri(node.PublicUrl, $"/test{tree}/checkpoint"));
        return SignedNote.TryParse(bytes, out var note, out var error) ? note : throw new InvalidDataException($"{error}");
    }

    /// <summary>Has Torchwood verify a checkpoint, by a policy that demands two of three.</summary>
    public async Task<string> VerifyAsync(string tree, SignedNote note)
    {
        var (policy, checkpoint) = (Path.Combine(_folder.Path, "policy"), Path.Combine(_folder.Path, "checkpoint"));
        await File.WriteAllTextAsync(policy, $"log {KeyOf(tree)}\n{PolicyText}");
        await File.WriteAllBytesAsync(checkpoint, note.ToBytes());
        return (await Programs.RunAsync("torchwood", policy, "checkpoint", checkpoint)).Output.Trim();
    }

    public async ValueTask DisposeAsync()
    {
        await Node.DisposeAsync();
        foreach (var witness in Witnesses)
        {
            await witness.DisposeAsync();
        }

        await _agent.DisposeAsync();
        _folder.Dispose();
    }

    private string PolicyText => string.Concat(Witnesses.Select(witness => witness.Line)) + "group two 2 w1 w2 w3\nquorum two\n";

    private WitnessPolicy Policy =>
        WitnessPolicy.TryParse(Encoding.UTF8.GetBytes(PolicyText), mustDemand: true, out var policy, out var fault) ? policy
            : throw new InvalidOperationException($"{fault}");

    private VerifierKey KeyOf(string tree) => VerifierKey.OfLog(Origin + tree, _signer.Key);
}
