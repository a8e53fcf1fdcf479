using System.Collections.Concurrent;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using TrustixProxy.LogNode.Api;
using TrustixProxy.LogNode.Archive;
using TrustixProxy.LogNode.Sequencing;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;
using TrustixProxy.TransparencyLog.Wire;
using LogSigner = TrustixProxy.TransparencyLog.LogSigner;

namespace TrustixProxy.LogNode.Tests.Sequencing;

/// <summary>A node whose log three witnesses cosign, two of which are enough, is killed at every place where its writer can be, again and
/// again, under load.</summary>
public sealed class CrashTests : IAsyncLifetime, IDisposable
{
    private const string Origin = "log.example/crash";

    /// <summary>Kills for each of the seven phases.</summary>
    private const int KillsAPhase = 30;

    /// <summary>After so many kills the log begins anew, so that checking all of it stays quick.</summary>
    private const int KillsALog = 12;

    private readonly LogSigner _signer;
    private readonly NixSecretKey _token = NixSecretKey.Generate("peer");
    private readonly byte[] _seed;
    private readonly FakeWitnesses _witnesses;
    private readonly TestFolder _policy = new();
    private readonly HttpClient _http = new();
    private readonly ConcurrentDictionary<string, string> _acknowledged = new();
    private readonly ConcurrentDictionary<long, LogHead> _seen = new();
    private string _directory = NewDirectory();
    private int _next;

    public CrashTests()
    {
        _seed = RandomNumberGenerator.GetBytes(32);
        _signer = new LogSigner(_seed);
        _witnesses = new FakeWitnesses(VerifierKey.OfLog(Origin, _signer.Key), VerifierKey.OfLog(Origin + Checkpoint.MapHeads, _signer.Key),
            new TestWitness("w1", 1), new TestWitness("w2", 2), new TestWitness("w3", 3));
    }

    private string PolicyFile => Path.Combine(_policy.Path, "witnesses");

    public async Task InitializeAsync()
    {
        await _witnesses.ListenAsync();
        await File.WriteAllTextAsync(PolicyFile, _witnesses.PolicyText(2));
    }

    public Task DisposeAsync() => Task.CompletedTask;

    public void Dispose()
    {
        _http.Dispose();
        _witnesses.Dispose();
        _policy.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task No_kill_loses_what_was_acknowledged_or_forks_the_log_or_shows_a_head_without_its_quorum()
    {
        var killed = new Dictionary<WritePhase, int>();
        var random = new Random(1);
        for (var kill = 0; kill < KillsAPhase * Enum.GetValues<WritePhase>().Length; kill++)
        {
            var phase = (WritePhase)(kill % Enum.GetValues<WritePhase>().Length);
            Disturb(random, kill);
            await LoadUntilKilledAsync(phase, 1 + random.Next(4));
            killed[phase] = killed.GetValueOrDefault(phase) + 1;
            AssertWhole();
            if (kill % KillsALog == KillsALog - 1)
            {
                await AssertNothingLostAsync();
                BeginAnew();
            }
        }

        Assert.All(Enum.GetValues<WritePhase>(), phase => Assert.Equal(KillsAPhase, killed[phase]));
    }

    /// <summary>Several clients submit, and remember what was acknowledged and which heads they were shown, until the node is
    /// gone.</summary>
    private async Task LoadUntilKilledAsync(WritePhase phase, int count)
    {
        using var node = Start(phase.ToString(), count);
        try
        {
            var urls = (await node.StandardOutput.ReadLineAsync())?.Split(' ');
            if (urls is not null) // else it died before it listened: on a queue that an earlier one had left
            {
                await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => SubmitUntilGoneAsync(urls[1])).Append(WatchUntilGoneAsync(urls[0])));
            }

            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            await node.WaitForExitAsync(patience.Token);
            Assert.Equal(137, node.ExitCode);
        }
        finally
        {
            node.Kill();
        }
    }

    private async Task SubmitUntilGoneAsync(string url)
    {
        const string procedure = "/trustix_rpc.v1.LogRPC/Submit";
        try
        {
            while (true)
            {
                var items = Enumerable.Range(0, 1 + (_next % 40)).Select(_ => $"{Interlocked.Increment(ref _next)}").ToList();
                var request = new SubmitRequest { LogID = _signer.Key.LogId };
                request.Items.AddRange(items.Select(item => new TransparencyLog.Wire.KeyValuePair
                {
                    Key = ByteString.CopyFromUtf8(item),
                    Value = ByteString.CopyFromUtf8($"value {item}")
                }));
                using var message = new HttpRequestMessage(
                    HttpMethod.Post, url + procedure)
                { Content = new ByteArrayContent(request.ToByteArray()) };
                message.Content.Headers.ContentType = new("application/proto");
                message.Headers.Add(WriteToken.Header, WriteToken.MakeReference(_token, procedure).ToString());
                using var response = await _http.SendAsync(message);
                response.EnsureSuccessStatusCode();
                items.ForEach(item => _acknowledged[item] = $"value {item}");
            }
        }
        catch (HttpRequestException)
        {
            // The node is gone.
        }
    }

    private async Task WatchUntilGoneAsync(string url)
    {
        try
        {
            while (true)
            {
                using var content = new ByteArrayContent(new LogHeadRequest { LogID = _signer.Key.LogId }.ToByteArray());
                content.Headers.ContentType = new("application/proto");
                using var response = await _http.PostAsync(url + "/trustix_api.v1.LogAPI/GetHead", content);
                if (response.StatusCode is System.Net.HttpStatusCode.TooManyRequests)
                {
                    continue;
                }

                var head = LogHead.Parser.ParseFrom(await response.Content.ReadAsByteArrayAsync());
                if (_seen.TryAdd((long)head.MHTreeSize, head) && head.TreeSize > 0)
                {
                    AssertWitnessed(head);
                }

                Assert.Equal(head, _seen[(long)head.MHTreeSize]);
            }
        }
        catch (HttpRequestException)
        {
            // The node is gone.
        }
    }

    /// <summary>Has a witness forget, fall silent, or claim to know more; two are always as they should be.</summary>
    private void Disturb(Random random, int kill)
    {
        var name = $"w{random.Next(1, 4)}";
        _witnesses.Instead = (kill % 4) switch
        {
            0 => (witness, _) => witness == name ? new HttpResponseMessage(System.Net.HttpStatusCode.ServiceUnavailable) : null,
            1 => (witness, _) => witness == name ? FakeWitnesses.KnowsSize(1L << 62) : null,
            _ => (_, _) => null,
        };
        if (kill % 4 is 2)
        {
            _witnesses.Forget(name);
        }
    }

    /// <summary>Whether two witnesses have cosigned both checkpoints of a head, before anybody saw it.</summary>
    private void AssertWitnessed(LogHead head)
    {
        foreach (var checkpoint in new[]
        {
            new Checkpoint(Origin, (long)head.TreeSize, new Digest(head.LogRoot.Span)),
            new Checkpoint(Origin + Checkpoint.MapHeads, (long)head.MHTreeSize, new Digest(head.MHRoot.Span)),
        })
        {
            var cosigners = _witnesses.Cosigned.Where(cosigned => cosigned.Checkpoint == checkpoint).Select(cosigned => cosigned.Witness);
            Assert.InRange(cosigners.Distinct().Count(), 2, 3);
        }
    }

    /// <summary>All that the file holds follows from its entries, and every head that anyone saw is among its heads.</summary>
    private void AssertWhole()
    {
        var (_, _, faults) = LogCheck.Run(Path.Combine(_directory, "test.sqlite"), _signer.Key);
        Assert.Empty(faults);
        using var database = LogDatabase.OpenToRead(Path.Combine(_directory, "test.sqlite"));
        var heads = database.Read(reader => reader.AllHeads().ToDictionary(head => head.Number, head => head.Head));
        Assert.All(_seen, seen => Assert.Equal(seen.Value.ToByteArray(), heads[seen.Key]));
        var sizes = heads.Values.Select(head => LogHead.Parser.ParseFrom(head).TreeSize).ToList();
        Assert.Equal(sizes.Distinct(), sizes);
        var cosigned = _witnesses.Cosigned.Select(cosigned => cosigned.Checkpoint).Distinct();
        Assert.All(cosigned.GroupBy(checkpoint => (checkpoint.Origin, checkpoint.Size)), ofOneSize => Assert.Single(ofOneSize));
    }

    /// <summary>A node that is left alone puts everything that was ever acknowledged into the log.</summary>
    private async Task AssertNothingLostAsync()
    {
        using (var node = Start(nameof(WritePhase.Enqueue), int.MaxValue))
        {
            Assert.NotNull(await node.StandardOutput.ReadLineAsync());
            using var waiting = LogDatabase.OpenToRead(Path.Combine(_directory, "test.sqlite"));
            await Eventually.UntilAsync(() => waiting.Read(reader => reader.Count("queue")) is 0);
            node.Kill();
            await node.WaitForExitAsync();
        }

        AssertWhole();
        using var database = LogDatabase.OpenToRead(Path.Combine(_directory, "test.sqlite"));
        var entries = database.Read(reader => reader.AllEntries(0, long.MaxValue)
            .ToDictionary(row => Encoding.UTF8.GetString(row.Entry.Key), row => Encoding.UTF8.GetString(row.Entry.Value)));
        Assert.All(_acknowledged, item => Assert.Equal(item.Value, entries.GetValueOrDefault(item.Key)));
    }

    private void BeginAnew()
    {
        Directory.Delete(_directory, recursive: true);
        _directory = NewDirectory();
        _acknowledged.Clear();
        _seen.Clear();
        _witnesses.Forget(); // the new log has the old one's key
        _witnesses.Cosigned.Clear();
    }

    private Process Start(string phase, int count) => Process.Start(new ProcessStartInfo(
        "dotnet",
        [Path.Combine(AppContext.BaseDirectory, "TrustixProxy.CrashingNode.dll"), _directory, Convert.ToHexString(_seed),
            _token.PublicKey.ToString(), phase, $"{count}", Origin, PolicyFile])
    { RedirectStandardOutput = true })!;

    private static string NewDirectory() => Directory.CreateTempSubdirectory("trustix-crash-").FullName;
}
