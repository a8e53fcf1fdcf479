using System.Text.Json;
using System.Text.RegularExpressions;
using TrustixProxy.Testing;
using Xunit.Abstractions;

namespace TrustixProxy.Container;

/// <summary>The image of <c>docker/Dockerfile</c>, and what containers of it may do.</summary>
[Collection(TourCollection.Name)]
public sealed partial class ImageTests(Tour tour, ITestOutputHelper output)
{
    [ContainerFact]
    public async Task The_image_has_the_program_its_libraries_and_no_tools_to_build_it()
    {
        var files = (await tour.Engine.RunAsync("run", "--rm", "--read-only", "--network", "none", "--entrypoint", "sh", "trustix-proxy",
            "-c", "cd /app && ls && ! command -v gcc dotnet && ! touch /app/x 2>/dev/null && id -u")).OrThrow().Output;
        var version = (await tour.Engine.RunAsync("run", "--rm", "--read-only", "--network", "none", "trustix-proxy", "--version"))
            .OrThrow().Output;
        var image = JsonDocument.Parse((await tour.Engine.RunAsync("image", "inspect", "trustix-proxy")).OrThrow().Output).RootElement[0];

        output.WriteLine($"{image.GetProperty("Size").GetInt64() / 1_000_000} MB with its base image");
        Assert.Equal(["healthcheck", "libe_sqlite3.so", "libsodium.LICENSE", "libsodium.so", "setup", "trustix-proxy", "1654"],
            files.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains($"<Version>{version.Split('+')[0].Trim()}</Version>", Repository.Read("Directory.Build.props"),
            StringComparison.Ordinal);
        Assert.Equal("1654", image.GetProperty("Config").GetProperty("User").GetString());
        Assert.Equal(["CMD", "healthcheck", "8081"],
            image.GetProperty("Config").GetProperty("Healthcheck").GetProperty("Test").EnumerateArray().Select(word => word.GetString()));
    }

    [ContainerFact]
    public async Task No_process_has_a_privilege_or_may_write_elsewhere_than_into_its_state()
    {
        foreach (var service in new[] { "alice", "bob", "carol", "publisher", "redis", "proxy" })
        {
            var status = await tour.ComposeAsync("exec", "-T", service, "cat", "/proc/1/status");
            var write = await tour.Engine.RunAsync("exec", "--user", "0", $"trustix-{service}-1", "touch", "/usr/x");

            // DAC_OVERRIDE: the publisher's job is to read what others wrote
            Assert.Equal(service is "publisher" ? "0000000000000002" : "0000000000000000", Field(status, "CapBnd"));
            Assert.Equal("1", Field(status, "NoNewPrivs"));
            Assert.Equal(service switch { "publisher" => "0", "redis" => "999", _ => "1654" }, Field(status, "Uid").Split('\t')[0]);
            Assert.Contains("Read-only file system", write.Error, StringComparison.Ordinal);
        }
    }

    [ContainerFact]
    public async Task Only_the_proxys_ports_are_on_this_machines_loopback()
    {
        var listening = (await tour.Engine.RunBesideAsync(null, "cat", "/proc/net/tcp", "/proc/net/tcp6")).OrThrow().Output;

        Assert.Equal(["0100007F:1F90", "0100007F:1F91"], Listening.Matches(listening).Select(match => match.Groups[1].Value).Order());
    }

    [ContainerFact]
    public async Task The_lines_of_the_readme_run_the_proxy_alone_and_reload_it()
    {
        string[] init = Line("run --rm "), serve = Line("run --detach ");
        Assert.Contains("127.0.0.1:8080:8080", serve);

        var written = (await tour.Engine.RunAsync(init)).OrThrow().Output;
        (await tour.Engine.RunAsync(serve.Select(word => word is "127.0.0.1:8080:8080" ? "127.0.0.1:8180:8080" : word))).OrThrow();
        await Eventually.UntilAsync(async () => (await tour.GetAsync("http://127.0.0.1:8180/nix-cache-info")).Status is "200");
        var health = await tour.Engine.RunAsync("exec", "trustix", "healthcheck", "8081");
        (await tour.Engine.RunAsync("kill", "--signal", "HUP", "trustix")).OrThrow();
        await Eventually.UntilAsync(async () =>
            (await tour.Engine.RunAsync("logs", "trustix")).Error.Contains("reloaded: ", StringComparison.Ordinal));
        (await tour.Engine.RunAsync("stop", "trustix")).OrThrow();
        var code = (await tour.Engine.RunAsync("inspect", "--format", "{{.State.ExitCode}}", "trustix")).OrThrow().Output.Trim();
        (await tour.Engine.RunAsync("rm", "trustix")).OrThrow();
        (await tour.Engine.RunAsync("volume", "rm", "trustix-config", "trustix-state")).OrThrow();

        Assert.Contains("  trusted-public-keys = ", written, StringComparison.Ordinal);
        Assert.True(health.Code is 0, $"{health}");
        Assert.Equal("0", code);
    }

    /// <summary>The words behind <c>docker</c> of a line at a prompt.</summary>
    private static string[] Line(string start) => Run.Matches(Repository.Read("docker/README.md"))
        .Select(match => match.Groups[1].Value).Single(line => line.StartsWith(start, StringComparison.Ordinal)).Split(' ');

    private static string Field(string status, string name) =>
        status.Split('\n').Single(line => line.StartsWith($"{name}:\t", StringComparison.Ordinal))[(name.Length + 2)..];

    /// <summary>The local address of a socket that listens.</summary>
    [GeneratedRegex(@"^ *\d+: ([0-9A-F]+:[0-9A-F]{4}) [0-9A-F]+:0000 0A ", RegexOptions.Multiline)]
    private static partial Regex Listening { get; }

    [GeneratedRegex(@"^\$ docker (.+?)$", RegexOptions.Multiline)]
    private static partial Regex Run { get; }
}
