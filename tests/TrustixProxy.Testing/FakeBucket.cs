using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace TrustixProxy.Testing;

/// <summary>A way in which a bucket misbehaves.</summary>
public enum BucketLie
{
    None,

    /// <summary>503 to everything.</summary>
    Busy,

    /// <summary>507 to every upload.</summary>
    Full,

    /// <summary>No answer to anything.</summary>
    Hang,

    /// <summary>A byte in the middle of each object is another one.</summary>
    Altered,

    /// <summary>Each object has the contents of another one.</summary>
    Swapped,

    /// <summary>Each object ends in the middle, and the connection with it.</summary>
    Cut,

    /// <summary>An object that is there is written again, whatever <c>If-None-Match</c> says.</summary>
    IgnoresConditions,

    /// <summary>501 to an upload with a condition, as some servers answer.</summary>
    KnowsNoConditions,
}

/// <summary>An S3-compatible server with one bucket, in the path. It verifies signatures by itself.</summary>
public sealed class FakeBucket : FakeServer
{
    public const string Name = "nars", Region = "eu-test-1";

    private readonly ConcurrentDictionary<string, (byte[] Bytes, DateTimeOffset At)> _objects = new();
    private readonly ConcurrentDictionary<string, int> _uploads = new();
    private readonly ConcurrentQueue<string> _requests = new();

    private FakeBucket()
    {
    }

    /// <summary>The only key that may do anything; null when everybody may.</summary>
    public (string Id, string Secret, string? Token)? Key { get; set; } = ("AKIDTEST", "s3cret/of+the=bucket", null);

    /// <summary>How it misbehaves from now on.</summary>
    public BucketLie Lie { get; set; }

    /// <summary>Where objects are, as a redirect; null for here.</summary>
    public Func<string, Uri?> Moved { get; set; } = _ => null;

    /// <summary>The base of the bucket's objects.</summary>
    public Uri BucketUrl => new(Url, $"/{Name}");

    /// <summary>What was asked for, in order: <c>GET /nars/x</c>.</summary>
    public IReadOnlyCollection<string> Requests => _requests;

    /// <summary>How often each object was written.</summary>
    public IReadOnlyDictionary<string, int> Uploads => _uploads;

    /// <summary>The objects by name.</summary>
    public IReadOnlyDictionary<string, byte[]> Objects => _objects.ToDictionary(entry => entry.Key, entry => entry.Value.Bytes);

    public static async Task<FakeBucket> StartAsync()
    {
        var bucket = new FakeBucket();
        await bucket.ListenAsync();
        return bucket;
    }

    /// <summary>Stores an object, as if it had been written at a time.</summary>
    public void Put(string name, byte[] bytes, DateTimeOffset? at = null) => _objects[name] = (bytes, at ?? DateTimeOffset.UtcNow);

    /// <summary>Stores an output as a binary cache has it.</summary>
    public void Add(TestOutput output, string compression = "none")
    {
        var narInfo = output.NarInfo(compression);
        Put($"{output.Path.Digest}.narinfo", Encoding.ASCII.GetBytes(narInfo.ToString()));
        Put(narInfo.Url, output.File(compression));
        Put("nix-cache-info", "StoreDir: /nix/store\n"u8.ToArray());
    }

    protected override async Task AnswerAsync(HttpContext context)
    {
        var (request, response) = (context.Request, context.Response);
        _requests.Enqueue($"{request.Method} {request.Path}{request.QueryString}");
        var body = new MemoryStream();
        await request.Body.CopyToAsync(body, context.RequestAborted);
        if (Lie is BucketLie.Hang)
        {
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        }

        if (Lie is BucketLie.Busy)
        {
            await FailAsync(response, 503, "SlowDown");
        }
        else if (FaultOf(request, body.ToArray()) is { } code)
        {
            await FailAsync(response, 403, code);
        }
        else if (request.Path.Value!.TrimEnd('/') == $"/{Name}" && request.Query["list-type"] == "2")
        {
            await ListAsync(request, response);
        }
        else if (!request.Path.Value!.StartsWith($"/{Name}/", StringComparison.Ordinal))
        {
            await FailAsync(response, 404, "NoSuchBucket");
        }
        else
        {
            await AnswerAsync(context, request.Path.Value[(Name.Length + 2)..], body.ToArray());
        }
    }

    private async Task AnswerAsync(HttpContext context, string name, byte[] body)
    {
        var (request, response) = (context.Request, context.Response);
        if (Moved(name) is { } elsewhere)
        {
            (response.StatusCode, response.Headers.Location) = (307, elsewhere.AbsoluteUri);
        }
        else if (request.Method is "PUT")
        {
            await WriteAsync(request, response, name, body);
        }
        else if (request.Method is "DELETE")
        {
            _objects.TryRemove(name, out _);
            response.StatusCode = 204;
        }
        else if (!_objects.TryGetValue(name, out var found))
        {
            await FailAsync(response, 404, "NoSuchKey");
        }
        else
        {
            await SendAsync(context, name, found.Bytes);
        }
    }

    private async Task WriteAsync(HttpRequest request, HttpResponse response, string name, byte[] body)
    {
        var isConditional = request.Headers.IfNoneMatch == "*";
        if (Lie is BucketLie.Full)
        {
            await FailAsync(response, 507, "InsufficientStorage");
        }
        else if (isConditional && Lie is BucketLie.KnowsNoConditions)
        {
            await FailAsync(response, 501, "NotImplemented");
        }
        else if (_objects.TryAdd(name, (body, DateTimeOffset.UtcNow)))
        {
            _uploads.AddOrUpdate(name, 1, (_, count) => count + 1);
        }
        else if (isConditional && Lie is not BucketLie.IgnoresConditions)
        {
            await FailAsync(response, 412, "PreconditionFailed");
        }
        else
        {
            Put(name, body);
            _uploads.AddOrUpdate(name, 1, (_, count) => count + 1);
        }
    }

    private async Task SendAsync(HttpContext context, string name, byte[] bytes)
    {
        bytes = Lie switch
        {
            BucketLie.Altered => [.. bytes.Select((value, i) => i == bytes.Length / 2 ? (byte)(value ^ 1) : value)],
            BucketLie.Swapped => _objects.First(other => other.Key != name).Value.Bytes,
            _ => bytes,
        };
        var range = context.Request.Headers.Range.ToString();
        var start = range.StartsWith("bytes=", StringComparison.Ordinal)
            ? int.Parse(range["bytes=".Length..^1], CultureInfo.InvariantCulture) : 0;
        if (start > 0)
        {
            context.Response.StatusCode = 206;
            context.Response.Headers.ContentRange = $"bytes {start}-{bytes.Length - 1}/{bytes.Length}";
        }

        context.Response.ContentLength = bytes.Length - start;
        if (context.Request.Method is "HEAD")
        {
            return;
        }

        var isCut = Lie is BucketLie.Cut;
        await context.Response.Body.WriteAsync(bytes.AsMemory(start..(isCut ? start + ((bytes.Length - start) / 2) : bytes.Length)));
        if (isCut)
        {
            await context.Response.Body.FlushAsync();
            context.Abort();
        }
    }

    /// <summary>Lists at most two objects a page, so that readers have to go on.</summary>
    private async Task ListAsync(HttpRequest request, HttpResponse response)
    {
        var (prefix, after) = (request.Query["prefix"].ToString(), request.Query["continuation-token"].ToString());
        var rest = _objects.Where(entry => entry.Key.StartsWith(prefix, StringComparison.Ordinal)
            && string.CompareOrdinal(entry.Key, after) > 0).OrderBy(entry => entry.Key, StringComparer.Ordinal).ToList();
        var page = rest.Take(2).Select(entry => $"<Contents><Key>{entry.Key}</Key><LastModified>"
            + $"{entry.Value.At.UtcDateTime:yyyy-MM-ddTHH:mm:ss.fffZ}</LastModified><Size>{entry.Value.Bytes.Length}</Size></Contents>");
        var next = rest.Count > 2 ? $"<NextContinuationToken>{rest[1].Key}</NextContinuationToken>" : "";
        response.ContentType = "application/xml";
        await response.WriteAsync("<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            + $"<IsTruncated>{(rest.Count > 2 ? "true" : "false")}</IsTruncated>{next}{string.Concat(page)}</ListBucketResult>");
    }

    private static async Task FailAsync(HttpResponse response, int status, string code)
    {
        (response.StatusCode, response.ContentType) = (status, "application/xml");
        await response.WriteAsync($"<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>no</Message></Error>");
    }

    /// <summary>Why a request is not signed by the key; null when it is, or need not be.</summary>
    private string? FaultOf(HttpRequest request, byte[] body)
    {
        if (Key is not { } key)
        {
            return request.Headers.Authorization.Count is 0 ? null : "InvalidAccessKeyId";
        }

        var header = request.Headers.Authorization.ToString();
        var parts = header.Split("AWS4-HMAC-SHA256 ", 2)[^1].Split(", ").Select(part => part.Split('=', 2))
            .Where(part => part.Length is 2).ToDictionary(part => part[0], part => part[1]);
        if (!parts.TryGetValue("Credential", out var credential))
        {
            return "AccessDenied";
        }

        if (credential.Split('/') is not [var id, var day, Region, "s3", "aws4_request"] || id != key.Id)
        {
            return "InvalidAccessKeyId";
        }

        if (request.Headers["x-amz-security-token"].ToString() != (key.Token ?? ""))
        {
            return "InvalidToken";
        }

        var time = request.Headers["x-amz-date"].ToString();
        var isTime = DateTimeOffset.TryParseExact(
            time, "yyyyMMddTHHmmssZ", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at);
        if (!isTime || !time.StartsWith(day, StringComparison.Ordinal)
            || (DateTimeOffset.UtcNow - at).Duration() > TimeSpan.FromMinutes(15))
        {
            return "RequestTimeTooSkewed";
        }

        var names = parts["SignedHeaders"].Split(';');
        var isComplete = names.SequenceEqual(names.Order(StringComparer.Ordinal)) && names.Contains("host")
            && request.Headers.Keys.Where(name => name.StartsWith("x-amz-", StringComparison.OrdinalIgnoreCase))
                .All(name => names.Contains(name.ToLowerInvariant()));
        var hash = Convert.ToHexStringLower(SHA256.HashData(body));
        return isComplete && request.Headers["x-amz-content-sha256"] == hash
            && parts["Signature"] == SignatureOf(key.Secret, Canonical(request, names, hash), time) ? null : "SignatureDoesNotMatch";
    }

    private static string Canonical(HttpRequest request, string[] names, string hash)
    {
        var target = request.HttpContext.Features.Get<IHttpRequestFeature>()!.RawTarget.Split('?', 2);
        var query = target.Skip(1).SelectMany(query => query.Split('&')).Select(pair => pair.Contains('=') ? pair : pair + "=")
            .Order(StringComparer.Ordinal);
        var lines = names.Select(name => $"{name}:{request.Headers[name].ToString().Trim()}\n");
        return $"{request.Method}\n{target[0]}\n{string.Join('&', query)}\n{string.Concat(lines)}\n{string.Join(';', names)}\n{hash}";
    }

    private static string SignatureOf(string secret, string canonical, string time)
    {
        byte[] Mac(byte[] key, string text) => HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text));
        var day = time[..8];
        var key = Mac(Mac(Mac(Mac(Encoding.UTF8.GetBytes("AWS4" + secret), day), Region), "s3"), "aws4_request");
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)));
        return Convert.ToHexStringLower(Mac(key, $"AWS4-HMAC-SHA256\n{time}\n{day}/{Region}/s3/aws4_request\n{hash}"));
    }
}
