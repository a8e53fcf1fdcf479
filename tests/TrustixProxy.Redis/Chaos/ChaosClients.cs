using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using TrustixProxy.Nix;

namespace TrustixProxy.Redis.Chaos;

/// <summary>Clients that ask the replicas as through a balancer, which asks the next one where one does not answer; each answer is
/// judged.</summary>
internal sealed class ChaosClients(ChaosLab lab, Outages outages) : IDisposable
{
    private readonly HttpClient _client = new(
        new SocketsHttpHandler { PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30) })
    { Timeout = TimeSpan.FromSeconds(40) };
    private readonly ConcurrentDictionary<string, int> _counts = new();
    private readonly ConcurrentQueue<string> _faults = new();
    private readonly ConcurrentBag<double> _quiet = [], _disturbed = [];
    private readonly ConcurrentDictionary<(int Replica, Wanted Wanted), bool> _served = new();
    private int _mustServe;

    /// <summary>What must not be, and was.</summary>
    public IReadOnlyCollection<string> Faults => _faults;

    /// <summary>How many answers had to be the narinfo: two logs and an upstream that has it were there all the time.</summary>
    public int MustServe => _mustServe;

    /// <summary>Which replica has served which path.</summary>
    public IEnumerable<(int Replica, Wanted Wanted)> Served => _served.Keys;

    public async Task RunAsync(int number, CancellationToken cancellation)
    {
        var random = new Random(number);
        while (!cancellation.IsCancellationRequested)
        {
            await AskAsync(lab.Choose(random), random);
            await Task.Delay(random.Next(500, 2000), CancellationToken.None);
        }
    }

    /// <summary>Asks one replica; null when it does not answer.</summary>
    public async Task<(int Status, string Text, string? Decision)?> AskAsync(int replica, string path)
    {
        try
        {
            using var response = await _client.GetAsync(new Uri(lab.Replicas[replica].Url, path));
            var decision = response.Headers.TryGetValues("X-Trustix-Decision", out var values) ? values.Single() : null;
            return ((int)response.StatusCode, await response.Content.ReadAsStringAsync(), decision);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or SocketException)
        {
            return null; // .NET throws the last of them for a replica that was killed as it accepted
        }
    }

    public IEnumerable<string> Report()
    {
        yield return $"answers: "
            + $"{string.Join(", ", _counts.OrderByDescending(count => count.Value).Select(count => $"{count.Key} {count.Value}"))}";
        yield return $"of these had to be served, as two logs and an upstream with the file were there: {_mustServe}";
        yield return $"nothing broken: {Times(_quiet)}";
        yield return $"while something was: {Times(_disturbed)}";
    }

    public void Dispose() => _client.Dispose();

    private async Task AskAsync(Wanted wanted, Random random)
    {
        var (start, first) = (Stopwatch.GetTimestamp(), random.Next(lab.Replicas.Count));
        for (var tried = 0; ; tried++)
        {
            var replica = (first + tried) % lab.Replicas.Count;
            if (await AskAsync(replica, $"{wanted.Output.Path.Digest}.narinfo") is { } reply)
            {
                Judge(wanted, replica, reply, start);
                if (reply.Status is 200 && random.Next(8) is 0)
                {
                    await FetchAsync(wanted, replica, reply.Text);
                }

                return;
            }

            Count("asked the next replica");
            if (tried > 100)
            {
                _faults.Enqueue($"no replica answers for {wanted.Output.Path}");
                return;
            }

            await Task.Delay(tried < lab.Replicas.Count ? 0 : 100);
        }
    }

    private void Judge(Wanted wanted, int replica, (int Status, string Text, string? Decision) reply, long start)
    {
        var end = Stopwatch.GetTimestamp();
        var hadToAnswer = !outages.WasStopped($"replica {replica}", start, end)
            && outages.CountWhole(wanted.Logs.Select(name => $"log {name}"), start, end) >= 2
            && outages.CountWhole(wanted.Upstreams.Select(number => $"upstream {number}"), start, end) > 0;
        (hadToAnswer && outages.CountWhole(["redis", "replica 0", "replica 1", "replica 2"], start, end) is 4 ? _quiet : _disturbed)
            .Add(Stopwatch.GetElapsedTime(start, end).TotalMilliseconds);
        _ = hadToAnswer && wanted.IsAgreed ? Interlocked.Increment(ref _mustServe) : 0;
        Count(reply.Status is 200 ? "served" : $"{reply.Status} {reply.Decision}");
        switch (reply.Status)
        {
            case 200 when lab.IsRight(wanted, reply.Text):
                _served[(replica, wanted)] = true;
                break;
            case 200:
                _faults.Enqueue($"replica {replica} gave a wrong narinfo of {wanted.Output.Path}: {reply.Text}");
                break;
            case 404 when !wanted.IsAgreed || !hadToAnswer:
            case 503 when reply.Decision is "overflow":
                break;
            default:
                _faults.Enqueue($"replica {replica} answered {reply.Status} for {wanted.Output.Path} after "
                    + $"{Stopwatch.GetElapsedTime(start, end).TotalSeconds:f1} s, while two logs and an upstream were there: {reply.Text}; "
                    + $"broken then: {string.Join(", ", outages.Between(start, end))}; its last lines: "
                    + $"{string.Join('\n', lab.Replicas[replica].Lines.Split('\n').TakeLast(20))}");
                break;
        }
    }

    /// <summary>A NAR may be cut off; one that is whole is the right one.</summary>
    private async Task FetchAsync(Wanted wanted, int replica, string text)
    {
        var url = text.Split('\n').Single(line => line.StartsWith("URL: ", StringComparison.Ordinal))["URL: ".Length..];
        try
        {
            using var response = await _client.GetAsync(new Uri(lab.Replicas[replica].Url, url));
            var bytes = await response.Content.ReadAsByteArrayAsync();
            Count(response.StatusCode is HttpStatusCode.OK ? "NAR whole" : $"NAR {(int)response.StatusCode}");
            if (response.StatusCode is HttpStatusCode.OK && NixHash.Sha256(SHA256.HashData(bytes)) != wanted.Output.Statement.NarHash)
            {
                _faults.Enqueue($"replica {replica} gave a wrong NAR of {wanted.Output.Path}");
            }
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or SocketException)
        {
            Count("NAR cut off");
        }
    }

    private void Count(string what) => _counts.AddOrUpdate(what, 1, (_, count) => count + 1);

    private static string Times(ConcurrentBag<double> times)
    {
        var sorted = times.Order().ToList();
        return sorted.Count is 0 ? "no answers" : $"{sorted.Count} answers, median {sorted[sorted.Count / 2]:f1} ms, p99 "
            + $"{sorted[sorted.Count * 99 / 100]:f1} ms, longest {sorted[^1]:f0} ms";
    }
}
