using System.Net;
using System.Text;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;
using TrustixProxy.TransparencyLog.Wire;
using LogSigner = TrustixProxy.TransparencyLog.LogSigner;

namespace TrustixProxy.LogNode.Tests.Witnessing;

/// <summary>A node with one log whose heads three witnesses cosign, two of which are enough.</summary>
internal sealed class WitnessedNode : IAsyncDisposable
{
    public const string Origin = "log.example/test";

    public static readonly string[] Names = ["w1", "w2", "w3"];

    public WitnessedNode()
    {
        Signer = new LogSigner(NixSecretKey.Generate("x").Key);
        Witnesses = new FakeWitnesses(VerifierKey.OfLog(Origin, Signer.Key), VerifierKey.OfLog(Origin + Checkpoint.MapHeads, Signer.Key),
            [.. Names.Select((name, i) => new TestWitness(name, (byte)(i + 1)))]);
        Node = With(null);
    }

    public LogSigner Signer { get; }

    public FakeWitnesses Witnesses { get; }

    public TestLogNode Node { get; private set; }

    /// <summary>Whether readers see a head only once it is cosigned; at once otherwise.</summary>
    public bool IsWithheld { get; set; } = true;

    /// <summary>Whether the log has witnesses at all.</summary>
    public bool HasWitnesses { get; set; } = true;

    /// <summary>Another node with the same key and witnesses.</summary>
    public TestLogNode With(string? directory) => new(directory, Signer)
    {
        Origin = Origin,
        Change = options => options with
        {
            Network = Witnesses,
            Logs = [options.Logs[0] with
            {
                Witnesses = HasWitnesses ? new WitnessOptions(Witnesses.Policy(2), TimeSpan.FromMilliseconds(50), IsWithheld) : null,
            }],
        },
    };

    public static HttpResponseMessage Status(HttpStatusCode status, string body = "") => new(status) { Content = new StringContent(body) };

    public static Task SubmitAsync(TestLogNode node, string key) =>
        node.SubmitAsync((Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes(key)));

    public Task SubmitAsync(string key) => SubmitAsync(Node, key);

    public async Task RestartAsync()
    {
        await Node.StopAsync();
        await Node.StartAsync();
    }

    /// <summary>Waits for that many requests to witnesses from now on.</summary>
    public Task AskedAsync(int requests)
    {
        var before = Witnesses.Requests;
        return Eventually.UntilAsync(() => Witnesses.Requests >= before + requests);
    }

    /// <summary>Waits until readers see a head of this size.</summary>
    public Task VisibleAsync(long size) => Eventually.UntilAsync(async () => (long)(await Node.HeadAsync()).TreeSize == size);

    public async Task<(HttpStatusCode Status, string Text)> HealthAsync(TestLogNode? node = null)
    {
        using var response = await Node.Client.GetAsync(new Uri((node ?? Node).PrivateUrl, "/healthz"));
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    /// <summary>Verifies the checkpoints that the node serves for the head that it shows, as a reader who demands two of three.</summary>
    public async Task<CheckpointVerdict> VerdictAsync()
    {
        var lookup = await Node.CallAsync(
            "/trustix_proxy.v1.LookupAPI/Lookup", new LookupRequest { LogID = Node.LogId }, LookupResponse.Parser);
        var (log, mapHeads) = (await FileAsync("checkpoint"), await FileAsync("mapheads/checkpoint"));
        Assert.True(SignedTreeHead.TryRead(lookup.Head, out var head, out _));
        var demand = new WitnessDemand(Origin, Signer.Key, Witnesses.Policy(2), null);
        var verdict = demand.Verify(head.Content, lookup.Checkpoint.Span, lookup.MapHeadCheckpoint.Span, DateTimeOffset.UtcNow);
        if (verdict is CheckpointVerdict.Witnessed)
        {
            Assert.IsType<CheckpointVerdict.Witnessed>(demand.Verify(head.Content, log, mapHeads, DateTimeOffset.UtcNow));
        }

        return verdict;
    }

    /// <summary>Names the witnesses that have cosigned the head that the node shows.</summary>
    public async Task<string> CosignersAsync() =>
        string.Join(' ', Assert.IsType<CheckpointVerdict.Witnessed>(await VerdictAsync()).Witnesses);

    public Task<byte[]> FileAsync(string name) => Node.Client.GetByteArrayAsync(new Uri(Node.PublicUrl, $"/test/{name}"));

    /// <summary>Submits until that is refused; returns why.</summary>
    public async Task<string> RefusedAsync()
    {
        var refusal = "";
        await Eventually.UntilAsync(async () => (refusal = await RefusalAsync(Node) ?? "").Length > 0);
        return refusal;
    }

    /// <summary>Submits once; returns why that is refused, or null.</summary>
    public static async Task<string?> RefusalAsync(TestLogNode node)
    {
        try
        {
            await SubmitAsync(node, "refused");
            return null;
        }
        catch (HttpRequestException exception)
        {
            return exception.Message;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Node.DisposeAsync();
        Witnesses.Dispose();
    }
}
