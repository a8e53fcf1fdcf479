using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Apt.RealClients;
using TrustixProxy.Native;
using TrustixProxy.Testing;

namespace TrustixProxy.Benchmarks;

/// <summary>Answers as rebuilderd does, out of memory: every package of an archive is GOOD. Counts who asks for what.</summary>
internal sealed class AptRebuilder : FakeServer
{
    private readonly Ed25519SigningKey _key = Ed25519SigningKey.Generate();
    private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);
    private readonly List<byte[]> _links = [];
    private readonly ConcurrentDictionary<string, int> _requests = new(StringComparer.Ordinal);
    private int _atOnce, _mostAtOnce;

    /// <summary>Its public key.</summary>
    public string PublicKey => Attestation.PemOf(_key.PublicKey);

    /// <summary>Requests of the package that was asked for most often.</summary>
    public int MostRequestsOfOne => _requests.Values.DefaultIfEmpty().Max();

    /// <summary>Requests in all.</summary>
    public int Requests => _requests.Values.Sum();

    /// <summary>How many requests there were at one moment, the most.</summary>
    public int MostAtOnce => _mostAtOnce;

    public static async Task<AptRebuilder> StartAsync(ArchiveFolder archive)
    {
        var rebuilder = new AptRebuilder();
        foreach (var package in archive.Packages)
        {
            var (fileName, sha256) = archive.Of(package);
            rebuilder._numbers[package.Name] = rebuilder._links.Count;
            rebuilder._links.Add(Encoding.UTF8.GetBytes(Attestation.Of(fileName, sha256, rebuilder._key)));
        }

        await rebuilder.ListenAsync();
        return rebuilder;
    }

    /// <summary>Sets all counts to 0.</summary>
    public void Forget()
    {
        _requests.Clear();
        _mostAtOnce = 0;
    }

    protected override async Task AnswerAsync(HttpContext context)
    {
        var most = Interlocked.Increment(ref _atOnce);
        for (var seen = _mostAtOnce; most > seen && Interlocked.CompareExchange(ref _mostAtOnce, most, seen) != seen; seen = _mostAtOnce)
        {
        }

        await AnswerAsync(context.Request, context.Response);
        Interlocked.Decrement(ref _atOnce);
    }

    private async Task AnswerAsync(HttpRequest request, HttpResponse response)
    {
        var name = $"{request.Query["name"]}";
        if (_numbers.TryGetValue(name, out var number))
        {
            _requests.AddOrUpdate(name, 1, (_, count) => count + 1);
            response.ContentType = "application/json";
            await response.WriteAsync(GoodRecord.Of(request.Query, $"{request.Query["version"]}", number));
        }
        else if (request.Path.Value!.Split('/') is [_, _, _, "builds", var build, ..] && int.TryParse(build, out number)
            && number < _links.Count)
        {
            _requests.AddOrUpdate(_numbers.First(pair => pair.Value == number).Key, 1, (_, count) => count + 1);
            response.ContentType = "application/json; charset=utf-8";
            await response.Body.WriteAsync(_links[number]);
        }
        else
        {
            response.StatusCode = StatusCodes.Status404NotFound;
        }
    }
}
