using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Apt;
using TrustixProxy.Native;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.AptGate.Tests;

/// <summary>A way in which a rebuilder misbehaves.</summary>
public enum RebuilderLie
{
    None,

    /// <summary>No answer at all.</summary>
    Hang,

    /// <summary>503 to everything.</summary>
    Unavailable,

    /// <summary>A page for people.</summary>
    Html,

    /// <summary>More bytes than any answer has.</summary>
    Huge,

    /// <summary>JSON of 100,000 levels.</summary>
    Deep,

    /// <summary>A list with a text that is not Unicode.</summary>
    Surrogate,

    /// <summary>JSON that is not UTF-8.</summary>
    NotUtf8,

    /// <summary>A list in another form than rebuilderd's.</summary>
    OtherForm,

    /// <summary>401 to everything.</summary>
    Unauthorized,

    /// <summary>404 to everything: there is no rebuilderd.</summary>
    Missing,

    /// <summary>429 to everything.</summary>
    Throttled,

    /// <summary>One byte now and then, without an end.</summary>
    Drip,

    /// <summary>A redirect to the metadata service of a cloud.</summary>
    RedirectToMetadata,

    /// <summary>It says good, and has no attestation.</summary>
    NoAttestation,

    /// <summary>The attestation is signed by another key.</summary>
    OtherKey,

    /// <summary>The attestation is about another file.</summary>
    OtherFile,

    /// <summary>The attestation is changed after it was signed.</summary>
    Changed,

    /// <summary>The attestation is of another architecture's file.</summary>
    OtherArchitecture,

    /// <summary>The attestation names the file twice.</summary>
    TwoProducts,
}

/// <summary>A rebuilderd on loopback.</summary>
public sealed class FakeRebuilder : FakeServer
{
    private static readonly byte[] Head = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

    private readonly Ed25519SigningKey _key = Ed25519SigningKey.Generate(), _other = Ed25519SigningKey.Generate();
    private readonly ConcurrentDictionary<int, (string File, string Status, Digest Sha256)> _builds = new();
    private int _underway;

    private FakeRebuilder()
    {
    }

    public RebuilderLie Lie { get; set; }

    /// <summary>How long each answer takes, while the request counts as under way.</summary>
    public TimeSpan Pause { get; set; }

    /// <summary>All requests: path and query.</summary>
    public ConcurrentQueue<string> Requests { get; } = new();

    /// <summary>The most requests that were under way at once.</summary>
    public int MostAtOnce { get; private set; }

    public string KeyText => Convert.ToBase64String([.. Head, .. _key.PublicKey.Bytes]);

    public static async Task<FakeRebuilder> StartAsync()
    {
        var rebuilder = new FakeRebuilder();
        await rebuilder.ListenAsync();
        return rebuilder;
    }

    /// <summary>Has it say something of a file: GOOD, BAD or UNKWN.</summary>
    public void Say(string fileName, Digest sha256, string status) => _builds[_builds.Count + 1] = (fileName, status, sha256);

    /// <summary>The attestation of a file, signed by a key.</summary>
    public static string Link(Ed25519SigningKey key, string fileName, Digest sha256)
    {
        var signed = "{\"_type\":\"link\",\"byproducts\":{},\"command\":[],\"environment\":null,\"materials\":{},"
            + $"\"name\":\"rebuild {fileName}\",\"products\":{{\"{fileName}\":{{\"sha256\":\"{sha256}\"}}}}}}";
        var signature = Convert.ToHexStringLower(key.Sign(Encoding.UTF8.GetBytes(signed)));
        _ = RebuilderKey.TryParse(Convert.ToBase64String([.. Head, .. key.PublicKey.Bytes]), out var known, out _);
        return $"{{\"signatures\":[{{\"keyid\":\"{known!.Id}\",\"sig\":\"{signature}\"}}],\"signed\":{signed}}}";
    }

    protected override async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        if (path is "/api/v1/meta/public-keys")
        {
            await context.Response.WriteAsync($$"""{"current":["{{KeyText}}"]}""");
            return;
        }

        Requests.Enqueue(path + context.Request.QueryString);
        MostAtOnce = Math.Max(MostAtOnce, Interlocked.Increment(ref _underway));
        try
        {
            await Task.Delay(Pause, context.RequestAborted);
            await AnswerAsync(context, path);
        }
        finally
        {
            Interlocked.Decrement(ref _underway);
        }
    }

    private Task AnswerAsync(HttpContext context, string path) => Lie switch
    {
        RebuilderLie.Hang => Task.Delay(Timeout.Infinite, context.RequestAborted),
        RebuilderLie.Unavailable => Task.FromResult(context.Response.StatusCode = 503),
        RebuilderLie.Html => context.Response.WriteAsync("<!doctype html><title>Welcome</title>"),
        RebuilderLie.Huge => context.Response.Body.WriteAsync(new byte[4 << 20]).AsTask(),
        RebuilderLie.Deep => context.Response.WriteAsync($"{{\"records\":{new string('[', 100_000)}{new string(']', 100_000)}}}"),
        RebuilderLie.Surrogate => context.Response.WriteAsync("""{"records":[{"name":"\ud800","architecture":"amd64"}]}"""),
        RebuilderLie.NotUtf8 => context.Response.Body.WriteAsync(Encoding.Latin1.GetBytes("""{"records":[{"name":"ü"}]}""")).AsTask(),
        RebuilderLie.OtherForm => context.Response.WriteAsync("""[{"name":"hello","status":"GOOD"}]"""),
        RebuilderLie.Unauthorized => Task.FromResult(context.Response.StatusCode = 401),
        RebuilderLie.Missing => Task.FromResult(context.Response.StatusCode = 404),
        RebuilderLie.Throttled => Task.FromResult(context.Response.StatusCode = 429),
        RebuilderLie.Drip => DripAsync(context),
        RebuilderLie.RedirectToMetadata => RedirectAsync(context),
        _ when path is "/api/v1/packages/binary" => ListAsync(context),
        RebuilderLie.NoAttestation => Task.FromResult(context.Response.StatusCode = 404),
        _ => AttestAsync(context, int.Parse(path.Split('/')[4], null)),
    };

    private static async Task DripAsync(HttpContext context)
    {
        for (; ; await Task.Delay(50, context.RequestAborted))
        {
            await context.Response.WriteAsync(" ", context.RequestAborted);
        }
    }

    private static Task RedirectAsync(HttpContext context)
    {
        context.Response.Redirect("http://169.254.169.254/latest");
        return Task.CompletedTask;
    }

    private Task ListAsync(HttpContext context)
    {
        var (name, architecture, version) = ($"{context.Request.Query["name"]}", $"{context.Request.Query["architecture"]}",
            $"{context.Request.Query["version"]}");
        var records = _builds.Where(build => build.Value.File.StartsWith($"{name}_", StringComparison.Ordinal)
            && build.Value.File.EndsWith($"_{architecture}.deb", StringComparison.Ordinal)).Select(build =>
        {
            var whole = version.Length > 0 ? version : build.Value.File.Split('_')[1];
            return $$"""
                {"id":{{build.Key}},"name":"{{name}}","version":"{{whole}}","distribution":"debian","release":"sid","component":"main",
                "architecture":"{{architecture}}","url":"http://archive.example/debian/pool/{{build.Value.File}}",
                "status":"{{build.Value.Status}}","build_id":{{build.Key}},"artifact_id":1,"diffoscope_log_id":null,"attestation_log_id":1,
                "last_seen":"2026-11-28T15:42:05.8","seen_in_last_sync":true}
                """;
        }).ToList();
        return context.Response.WriteAsync($$"""{"total":{{records.Count}},"records":[{{string.Join(',', records)}}]}""");
    }

    private Task AttestAsync(HttpContext context, int build)
    {
        var (file, _, sha256) = _builds[build];
        var link = Link(Lie is RebuilderLie.OtherKey ? _other : _key, Lie switch
        {
            RebuilderLie.OtherFile => $"other{file}",
            RebuilderLie.OtherArchitecture => file.Replace("_amd64", "_i386", StringComparison.Ordinal),
            _ => file,
        }, sha256);
        return context.Response.WriteAsync(Lie switch
        {
            RebuilderLie.Changed => link.Replace("\"command\":[]", "\"command\":[\"x\"]", StringComparison.Ordinal),
            RebuilderLie.TwoProducts => link.Replace("\"products\":{", $"\"products\":{{\"{file}\":{{}},", StringComparison.Ordinal),
            _ => link,
        });
    }
}
