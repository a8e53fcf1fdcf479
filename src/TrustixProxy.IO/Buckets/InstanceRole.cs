using System.Globalization;
using System.Text;
using System.Text.Json;
using TrustixProxy.IO.Connecting;
using TrustixProxy.IO.Streams;

namespace TrustixProxy.IO.Buckets;

/// <summary>Signals that this machine's metadata service gives no key.</summary>
public sealed class NoInstanceRoleException(string reason)
    : HttpRequestException($"The machine's metadata service gives no key of an instance role: {reason}.");

/// <summary>The temporary keys of the role that a cloud gives this machine: the metadata service of EC2, version 2.</summary>
/// <remarks>
/// <code>
/// PUT latest/api/token ──▶ session token ──▶ GET latest/meta-data/iam/security-credentials/ ──▶ ROLE
///                                        ──▶ GET latest/meta-data/iam/security-credentials/ROLE ──▶ key, secret, token, expiration
/// </code>
/// It has a transport of its own, which follows no redirect and uses no HTTP proxy. A key is renewed in the background before it
/// expires. Only a configuration that asks for the role makes one.</remarks>
public sealed class InstanceRole : IDisposable
{
    private const string TokenLife = "X-aws-ec2-metadata-token-ttl-seconds", Token = "X-aws-ec2-metadata-token",
        Roles = "latest/meta-data/iam/security-credentials/";

    private const int MaxSize = 16 << 10;

    /// <summary>How long before its end a key is renewed; and the limit of one renewal, and the pause after one that failed.</summary>
    private static readonly TimeSpan Early = TimeSpan.FromMinutes(5), Limit = TimeSpan.FromSeconds(5), Pause = TimeSpan.FromSeconds(2);

    private static readonly Lazy<InstanceRole> ThisMachine = new(() => new InstanceRole(AddressOf(Environment.GetEnvironmentVariable),
        TimeProvider.System));

    private readonly Uri _address;
    private readonly TimeProvider _time;
    private readonly HttpMessageInvoker _http;
    private readonly Lock _turn = new();
    private Task<Answer>? _renewal;
    private Answer? _last;
    private DateTimeOffset _nextTry;

    /// <param name="address">The metadata service.</param>
    public InstanceRole(Uri address, TimeProvider time) =>
        (_address, _time, _http) = (address, time, new HttpMessageInvoker(new PeerTransport(HttpProxies.None, time)));

    /// <summary>The role of the machine that this process runs on.</summary>
    public static InstanceRole OfThisMachine => ThisMachine.Value;

    /// <summary>Returns the address of the metadata service: <c>AWS_EC2_METADATA_SERVICE_ENDPOINT</c>, else the one of EC2.</summary>
    public static Uri AddressOf(Func<string, string?> environment) =>
        Uri.TryCreate(environment("AWS_EC2_METADATA_SERVICE_ENDPOINT")?.TrimEnd('/') + "/", UriKind.Absolute, out var address)
            && address.Scheme is "http" or "https"
            ? address : new Uri("http://169.254.169.254/");

    /// <summary>Returns a key that is valid now.</summary>
    /// <exception cref="NoInstanceRoleException">There is none.</exception>
    public async ValueTask<AwsCredentials> GetAsync(CancellationToken cancellation)
    {
        Task<Answer> renewal;
        lock (_turn)
        {
            var now = _time.GetUtcNow();
            var isValid = _last?.Credentials is not null && now < _last.Expires;
            if ((!isValid || now >= _last!.Expires - Early) && _renewal is null && now >= _nextTry)
            {
                _renewal = Task.Run(RenewAsync, CancellationToken.None);
            }

            if (isValid)
            {
                return _last!.Credentials!;
            }

            renewal = _renewal ?? Task.FromResult(_last!);
        }

        var answer = await renewal.WaitAsync(cancellation);
        return answer.Credentials is { } credentials && _time.GetUtcNow() < answer.Expires
            ? credentials : throw new NoInstanceRoleException(answer.Reason ?? "the key has expired");
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<Answer> RenewAsync()
    {
        Answer answer;
        using var limit = new CancellationTokenSource(Limit, _time);
        try
        {
            answer = await AskAsync(limit.Token);
        }
        catch (Exception exception)
        {
            answer = new Answer(null, default, exception is OperationCanceledException ? "no answer in time" : exception.Message);
        }

        lock (_turn)
        {
            _renewal = null;
            _nextTry = _time.GetUtcNow() + Pause;
            _last = answer.Credentials is null && _last?.Credentials is not null && _time.GetUtcNow() < _last.Expires ? _last : answer;
            return _last;
        }
    }

    private async Task<Answer> AskAsync(CancellationToken cancellation)
    {
        var token = await SendAsync(HttpMethod.Put, "latest/api/token", (TokenLife, "21600"), cancellation);
        var role = (await SendAsync(HttpMethod.Get, Roles, (Token, token), cancellation)).Split('\n')[0].Trim();
        if (role.Length is 0)
        {
            return new Answer(null, default, "this machine has no role");
        }

        var text = await SendAsync(HttpMethod.Get, Roles + Uri.EscapeDataString(role), (Token, token), cancellation);
        try
        {
            using var json = JsonDocument.Parse(text);
            string Member(string name) => json.RootElement.GetProperty(name).GetString() ?? throw new FormatException(name);
            var expires = DateTimeOffset.Parse(Member("Expiration"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
            return new Answer(new AwsCredentials(Member("AccessKeyId"), Member("SecretAccessKey"), Member("Token")), expires, null);
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or FormatException
            or InvalidOperationException)
        {
            return new Answer(null, default, "its answer is no key"); // the exception may quote the answer
        }
    }

    private async Task<string> SendAsync(
        HttpMethod method, string path, (string Name, string Value) header, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, new Uri(_address, path));
        request.Headers.Add(header.Name, header.Value);
        using var response = await _http.SendAsync(request, cancellation);
        if (!response.IsSuccessStatusCode)
        {
            throw new HttpRequestException($"HTTP {(int)response.StatusCode} to {path}");
        }

        await using var body = await response.Content.ReadAsStreamAsync(cancellation);
        return await BoundedStream.ReadWholeAsync(body, MaxSize, length: null, cancellation) is { } bytes
            ? Encoding.UTF8.GetString(bytes.Span) : throw new HttpRequestException("its answer is too large");
    }

    /// <param name="Credentials">The key; null when there is none.</param>
    /// <param name="Expires">The key's end.</param>
    /// <param name="Reason">Why there is none.</param>
    private sealed record Answer(AwsCredentials? Credentials, DateTimeOffset Expires, string? Reason);
}
