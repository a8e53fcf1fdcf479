using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using TrustixProxy.Native;
using TrustixProxy.Testing;

namespace TrustixProxy.Apt.RealClients;

/// <summary>What a rebuilder has come to about a package.</summary>
internal enum Finding
{
    /// <summary>It built the same file.</summary>
    Good,

    /// <summary>It built another file.</summary>
    Bad,

    /// <summary>Its build failed.</summary>
    Failed,

    /// <summary>It knows the package, and has not built it.</summary>
    Waiting,

    /// <summary>It never heard of the package.</summary>
    Unknown,
}

/// <summary>What is told to a rebuilder of one package.</summary>
/// <param name="Package">The package.</param>
/// <param name="Finding">What came of it.</param>
internal sealed record Report(TestPackage Package, Finding Finding)
{
    /// <summary>The file that the link names; null for the package's.</summary>
    public string? FileName { get; init; }

    /// <summary>The digest that the link names; null for the .deb's.</summary>
    public string? Sha256 { get; init; }
}

/// <summary>A real rebuilderd with a state of its own, whose worker is the test.</summary>
internal sealed class Rebuilder : IAsyncDisposable
{
    private readonly HttpClient _worker = new();
    private readonly string _lab, _name;
    private readonly bool _signs;
    private Process? _process;

    private Rebuilder(string lab, string name, bool signs) => (_lab, _name, _signs) = (lab, name, signs);

    /// <summary>Its address on loopback.</summary>
    public string Url { get; } = $"http://127.0.0.1:{FreePort()}";

    /// <summary>Its address by a name of its own, which the folder knows.</summary>
    public Uri NamedUrl => new UriBuilder(Url) { Host = $"{_name}.example" }.Uri;

    /// <summary>Its long-term key, as PEM.</summary>
    public string PublicKey { get; private set; } = "";

    /// <summary>The key of its worker, which signs before it does.</summary>
    public Ed25519SigningKey WorkerKey { get; } = Ed25519SigningKey.Generate();

    private string State => Path.Combine(_lab, _name);

    /// <param name="lab">Gets its state.</param>
    /// <param name="name">Its name, which is in the folder's hosts when it is alice or bob.</param>
    /// <param name="signs">Whether it adds its own signature to links.</param>
    public static async Task<Rebuilder> StartAsync(string lab, string name, bool signs = true)
    {
        var rebuilder = new Rebuilder(lab, name, signs);
        Directory.CreateDirectory(rebuilder.State);
        await rebuilder.StartAsync();
        var keys = await rebuilder._worker.GetFromJsonAsync<JsonObject>(rebuilder.Api("meta/public-keys"));
        rebuilder.PublicKey = keys!["current"]![0]!.GetValue<string>();
        rebuilder._worker.DefaultRequestHeaders.Add(
            "X-Auth-Cookie", (await File.ReadAllTextAsync(Path.Combine(rebuilder.State, "cookie"))).Trim());
        rebuilder._worker.DefaultRequestHeaders.Add("X-Worker-Key", "worker");
        await rebuilder.PostAsync("workers", new { name = "worker" });
        return rebuilder;
    }

    /// <summary>Starts the daemon at the address that it has, and waits until it answers.</summary>
    public async Task StartAsync()
    {
        var configuration = Path.Combine(State, "rebuilderd.conf");
        await File.WriteAllTextAsync(configuration,
            $"[http]\nbind_addr = \"{new Uri(Url).Authority}\"\ntransparently_sign_attestations = {(_signs ? "true" : "false")}\n");
        _process = Process.Start(Shell.Start(AptFolder.Script, AptFolder.Enter(AptFolder.AtHand!, _lab,
            ["sh", "-c", $"cd {State}; REBUILDERD_COOKIE_PATH={State}/cookie exec rebuilderd -c {configuration}"]), null))!;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        await Eventually.UntilAsync(async () =>
        {
            Assert.False(_process.HasExited, $"rebuilderd of {_name} ended");
            try
            {
                return (await _worker.GetAsync(Api("meta/public-keys"))).IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false; // not yet
            }
        });
    }

    /// <summary>Ends the daemon without a word.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    /// <summary>Tells it of packages as a sync does, takes the jobs and reports on them as a worker does.</summary>
    /// <param name="archive">Where the packages are.</param>
    /// <param name="reports">What to say of each.</param>
    /// <param name="release">The release that they are of.</param>
    public async Task ReportAsync(ArchiveFolder archive, IReadOnlyCollection<Report> reports, string release = "sid")
    {
        var known = reports.Where(report => report.Finding is not Finding.Unknown).ToList();
        await PostAsync("packages", new
        {
            distribution = "debian",
            release,
            component = "main",
            architecture = archive.Machine,
            packages = known.Select(report => new
            {
                name = report.Package.Name,
                version = report.Package.Version,
                url = $"http://archive.example/{release}/{report.Package.Name}.buildinfo",
                artifacts = new[]
                {
                    new
                    {
                        name = report.Package.Name,
                        version = report.Package.Version,
                        architecture = report.Package.Architecture ?? archive.Machine,
                        url = $"http://archive.example/{report.Package.PathFor(archive.Machine)}",
                    },
                },
            }),
        });
        foreach (var _ in known)
        {
            string[] architectures = [archive.Machine, "all"];
            var job = (await PostAsync("queue/pop", new
            {
                supported_backends = new[] { "debian" },
                architecture = archive.Machine,
                supported_architectures = architectures,
            }))["Rebuild"]!["job"]!;
            var report = known.Single(report => report.Package.Name == job["name"]!.GetValue<string>());
            if (report.Finding is not Finding.Waiting)
            {
                await ReportAsync(archive, job["id"]!.GetValue<int>(), report);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await KillAsync();
        }

        _worker.Dispose();
    }

    private async Task ReportAsync(ArchiveFolder archive, int job, Report report)
    {
        var (fileName, sha256) = archive.Of(report.Package);
        var link = Attestation.Of(report.FileName ?? fileName, report.Sha256 ?? sha256, WorkerKey);
        var isGood = report.Finding is Finding.Good;
        var artifact = new
        {
            name = report.Package.Name,
            status = isGood ? "GOOD" : "BAD",
            diffoscope = isGood ? null : Numbers("it differs"),
            attestation = isGood ? Numbers(link) : null,
        };
        await PostAsync("builds", new
        {
            queue_id = job,
            built_at = DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ss", CultureInfo.InvariantCulture),
            build_log = Numbers("a log"),
            status = report.Finding switch { Finding.Good => "GOOD", Finding.Bad => "BAD", _ => "FAIL" },
            artifacts = report.Finding is Finding.Failed ? [] : new[] { artifact },
        });
    }

    private static int[] Numbers(string text) => [.. Encoding.UTF8.GetBytes(text).Select(value => (int)value)];

    private async Task<JsonObject> PostAsync(string path, object body)
    {
        using var response = await _worker.PostAsJsonAsync(Api(path), body);
        var text = await response.Content.ReadAsStringAsync();
        return !response.IsSuccessStatusCode ? throw new InvalidOperationException($"{path}: {(int)response.StatusCode} {text}")
            : text.Length is 0 ? [] : JsonNode.Parse(text) as JsonObject ?? throw new InvalidOperationException($"{path}: {text}");
    }

    private Uri Api(string path) => new($"{Url}/api/v1/{path}");

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
