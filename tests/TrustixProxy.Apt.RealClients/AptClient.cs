using System.Diagnostics;

namespace TrustixProxy.Apt.RealClients;

/// <summary>What a run of apt came to, and how long it took.</summary>
internal sealed record AptResult(Result Result, TimeSpan Took)
{
    /// <summary>All that it printed.</summary>
    public string Text => $"{Result}";

    public bool IsGood => Result.Code is 0;

    public override string ToString() => $"{Took}: {Text}";
}

/// <summary>A machine with a real apt: a root of its own below the lab, and an apt that knows nothing else.</summary>
internal sealed class AptClient
{
    private static readonly string[] Folders =
    [
        "etc/apt/preferences.d", "etc/apt/apt.conf.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/log/apt",
        "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers",
    ];

    private readonly string _lab, _apt;

    private AptClient(string lab, string apt, string root) => (_lab, _apt, Root) = (lab, apt, root);

    /// <summary>Its root, in which its commands run.</summary>
    public string Root { get; }

    /// <summary>Variables that its commands see, as NAME=VALUE.</summary>
    public string[] Environment { get; set; } = [];

    /// <summary>Makes a machine.</summary>
    /// <param name="lab">Gets its root.</param>
    /// <param name="apt">The folder whose apt it has, or <see cref="AptFolder.Host"/>.</param>
    /// <param name="archive">The archive, whose key it trusts.</param>
    /// <param name="urls">What it installs from.</param>
    public static async Task<AptClient> MakeAsync(string lab, string apt, ArchiveFolder archive, params IEnumerable<string> urls)
    {
        var root = Path.Combine(lab, $"root-{Guid.NewGuid():n}");
        foreach (var folder in Folders)
        {
            Directory.CreateDirectory(Path.Combine(root, folder));
        }

        await File.WriteAllTextAsync(Path.Combine(root, "var/lib/dpkg/status"), "");
        await File.WriteAllTextAsync(Path.Combine(root, "apt.conf"), $$"""
            Dir "{{root}}";
            Dir::State::status "{{root}}/var/lib/dpkg/status";
            Dir::Bin::dpkg "/usr/bin/dpkg";
            DPkg::Options { "--root={{root}}"; "--force-unsafe-io"; };
            APT::Sandbox::User "root";
            APT::Architecture "{{archive.Machine}}";
            APT::Install-Recommends "false";
            Acquire::Languages "none";

            """);
        var client = new AptClient(lab, apt, root);
        await File.WriteAllLinesAsync(
            Path.Combine(root, "etc/apt/sources.list"), urls.Select(url => $"deb [signed-by={archive.Key}] {url} sid main"));
        return client;
    }

    public Task<AptResult> UpdateAsync() => RunAsync("update");

    /// <summary>Installs packages, as on a machine without a terminal.</summary>
    public Task<AptResult> InstallAsync(params IEnumerable<string> packages) => RunAsync(["install", "-y", .. packages]);

    /// <summary>Installs a package without a second try.</summary>
    public Task<AptResult> TryInstallAsync(string package) => RunAsync("-o", "Acquire::Retries=0", "install", "-y", package);

    /// <summary>Runs apt-get.</summary>
    public async Task<AptResult> RunAsync(params IEnumerable<string> arguments)
    {
        var start = Stopwatch.GetTimestamp();
        var result = await Shell.RunAsync(AptFolder.Script,
            AptFolder.Enter(_apt, _lab, ["env", "-C", Root, $"APT_CONFIG={Root}/apt.conf", .. Environment, "apt-get", .. arguments]));
        return new AptResult(result, Stopwatch.GetElapsedTime(start));
    }

    /// <summary>Whether a package's file is there as the archive has it.</summary>
    public bool Has(TestPackage package) =>
        new FileInfo(Path.Combine(Root, package.Installs)) is { Exists: true } file && file.Length == package.Size;
}
