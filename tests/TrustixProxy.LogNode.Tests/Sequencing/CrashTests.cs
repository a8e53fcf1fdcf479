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
using TrustixProxy.TransparencyLog.Wire;
using LogSigner = TrustixProxy.TransparencyLog.LogSigner;

namespace TrustixProxy.LogNode.Tests.Sequencing;

/// <summary>A node that is killed at every place where its writer can be, again and again, under load.</summary>
public sealed class CrashTests : IDisposable
{
    /// <summary>Kills for each of the six phases.</summary>
    private const int KillsAPhase = 34;

    /// <summary>After so many kills the log begins anew, so that checking all of it stays quick.</summary>
    private const int KillsALog = 12;

    private readonly LogSigner _signer;
    private readonly NixSecretKey _token = NixSecretKey.Generate("peer");
    private readonly byte[] _seed;
    private readonly HttpClient _http = new();
    private readonly ConcurrentDictionary<string, string> _acknowledged = new();
    private readonly ConcurrentDictionary<long, LogHead> _seen = new();
    private string _directory = NewDirectory();
    private int _next;

    public CrashTests()
    {
        _seed = RandomNumberGenerator.GetBytes(32);
        _signer = new LogSigner(_seed);
    }

    public void Dispose()
    {
        _http.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task No_kill_loses_what_was_acknowledged_or_forks_the_log()
    {
        var killed = new Dictionary<WritePhase, int>();
        var random = new Random(1);
        for (var kill = 0; kill < KillsAPhase * Enum.GetValues<WritePhase>().Length; kill++)
        {
            var phase = (WritePhase)(kill % Enum.GetValues<WritePhase>().Length);
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
                Assert.Equal(head, _seen.GetOrAdd((long)head.MHTreeSize, head));
            }
        }
        catch (HttpRequestException)
        {
            // The node is gone.
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
    }

    /// <summary>A node that is left alone puts everything that was ever acknowledged into the log.</summary>
    private async Task AssertNothingLostAsync()
    {
        using (var node = Start(nameof(WritePhase.Enqueue), int.MaxValue))
        {
            Assert.NotNull(await node.StandardOutput.ReadLineAsync());
            await Task.Delay(300);
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
    }

    private Process Start(string phase, int count) => Process.Start(new ProcessStartInfo(
        "dotnet",
        [Path.Combine(AppContext.BaseDirectory, "TrustixProxy.CrashingNode.dll"), _directory, Convert.ToHexString(_seed),
            _token.PublicKey.ToString(), phase, $"{count}"])
    { RedirectStandardOutput = true })!;

    private static string NewDirectory() => Directory.CreateTempSubdirectory("trustix-crash-").FullName;
}
