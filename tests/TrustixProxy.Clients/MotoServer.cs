using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using TrustixProxy.IO.Buckets;
using TrustixProxy.IO.Connecting;
using TrustixProxy.Testing;

namespace TrustixProxy.Clients;

/// <summary>moto: an S3 server of others, which makes each signature again with AWS's own library and refuses all that differ. It has one
/// user with one key, and an empty bucket.</summary>
internal sealed partial class MotoServer : IAsyncDisposable
{
    /// <summary>The name of the bucket.</summary>
    public const string Name = "nars";

    /// <summary>How many requests need no key: those that make the user, the key, the policy and the bucket.</summary>
    private const int Unsigned = 4;

    private const string Everything =
        """{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}""";

    private readonly Process _process;

    private MotoServer(Process process, string address) => (_process, Address) = (process, address);

    /// <summary>Its host and port.</summary>
    public string Address { get; }

    /// <summary>The key.</summary>
    public AwsCredentials Key { get; private set; } = new("", "");

    /// <summary>The bucket.</summary>
    public Bucket Bucket => new(new Uri($"http://{Address}/{Name}"), "", BucketSigner.Of(Key, "us-east-1"),
        Bucket.Sender(HttpProxies.None, TimeProvider.System), TimeProvider.System);

    public static async Task<MotoServer> StartAsync(string lab)
    {
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        var port = ((IPEndPoint)free.LocalEndpoint).Port;
        free.Stop();
        var nix = Directory.CreateDirectory(Path.Combine(lab, "moto")).FullName;
        var start = Shell.Start(
            NixClient.Script, ["enter", NixClient.S3Folder!, lab, nix, "moto_server", "-H", "127.0.0.1", "-p", $"{port}"],
            new Dictionary<string, string> { ["INITIAL_NO_AUTH_ACTION_COUNT"] = $"{Unsigned}", ["PYTHONDONTWRITEBYTECODE"] = "1" });
        var process = Process.Start(start)!;
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        var server = new MotoServer(process, $"127.0.0.1:{port}");
        await server.PrepareAsync();
        return server;
    }

    /// <summary>Uploads a folder of a cache.</summary>
    public async Task FillAsync(string folder)
    {
        foreach (var file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            var name = Path.GetRelativePath(folder, file);
            Assert.True(await Bucket.WriteAsync(name, await File.ReadAllBytesAsync(file), mayReplace: false, default), name);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private async Task PrepareAsync()
    {
        using var http = new HttpClient();
        await Eventually.UntilAsync(async () =>
        {
            try
            {
                return (await http.GetAsync(new Uri($"http://{Address}/moto-api/"))).IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        });
        await AskAsync(http, HttpMethod.Post, "iam", "/", "Action=CreateUser&UserName=nix");
        var key = await AskAsync(http, HttpMethod.Post, "iam", "/", "Action=CreateAccessKey&UserName=nix");
        Key = new AwsCredentials(Id.Match(key).Groups[1].Value, Secret.Match(key).Groups[1].Value);
        await AskAsync(http, HttpMethod.Post, "iam", "/",
            $"Action=PutUserPolicy&UserName=nix&PolicyName=all&PolicyDocument={Uri.EscapeDataString(Everything)}");
        await AskAsync(http, HttpMethod.Put, "s3", $"/{Name}", "");
    }

    private async Task<string> AskAsync(HttpClient http, HttpMethod method, string service, string path, string form)
    {
        using var request = new HttpRequestMessage(method, new Uri($"http://{Address}{path}"));
        request.Headers.TryAddWithoutValidation("Authorization",
            $"AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=x");
        request.Content = form.Length is 0 ? null
            : new StringContent($"{form}&Version=2010-05-08", null, "application/x-www-form-urlencoded");
        using var response = await http.SendAsync(request);
        return await response.EnsureSuccessStatusCode().Content.ReadAsStringAsync();
    }

    [GeneratedRegex("<AccessKeyId>([^<]+)<")]
    private static partial Regex Id { get; }

    [GeneratedRegex("<SecretAccessKey>([^<]+)<")]
    private static partial Regex Secret { get; }
}

/// <summary>A fact about an S3 server of others, skipped where that is missing.</summary>
public sealed class BucketFactAttribute : FactAttribute
{
    public BucketFactAttribute()
    {
        if (NixClient.S3Folder is null)
        {
            Skip = "moto is missing: run tests/Clients/folders make as root.";
        }
    }
}
