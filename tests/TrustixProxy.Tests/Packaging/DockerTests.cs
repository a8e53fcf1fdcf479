using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests.Packaging;

/// <summary>The image and the tour without an engine: form, paths, flags and configurations. The suite Container runs them.</summary>
public sealed partial class DockerTests
{
    private static readonly JsonObject Compose = Yaml.Parse(Repository.Read("docker/compose.yaml"));

    private static readonly HashSet<string> ServiceKeys = ["image", "build", "entrypoint", "command", "depends_on", "environment",
        "healthcheck", "hostname", "user", "ports", "volumes", "read_only", "tmpfs", "cap_drop",
        "cap_add", "security_opt", "network_mode", "restart"];

    [Fact]
    public void Services_refer_to_services_volumes_and_an_image_that_are_there()
    {
        Assert.Equal(["name", "services", "volumes"], Compose.Select(entry => entry.Key));
        Assert.Equal(["setup", "alice", "bob", "carol", "publisher", "redis", "proxy"], Services.Select(service => service.Name));
        foreach (var (name, service) in Services)
        {
            Assert.Subset(ServiceKeys, service.Select(entry => entry.Key).ToHashSet());
            Assert.Equal(name is "redis" ? "redis:7-alpine" : "trustix-proxy", (string?)service["image"]);
            Assert.All(service["depends_on"]?.AsObject() ?? [], other => Assert.Equal(
                other.Key is "setup" ? "service_completed_successfully" : "service_healthy", (string?)other.Value!["condition"]));
            Assert.All(service["depends_on"]?.AsObject() ?? [], other => Assert.Contains(other.Key, Services.Select(known => known.Name)));
            foreach (var source in (service["volumes"]?.AsArray() ?? []).Select(volume => ((string)volume!).Split(':')[0])
                .Where(source => source[0] is not '$'))
            {
                Assert.True(Compose["volumes"]!.AsObject().ContainsKey(source), source);
            }
        }

        Assert.Equal(Repository.Root,
            Path.GetFullPath(Path.Combine(Repository.Root, "docker", (string)Compose["services"]!["setup"]!["build"]!["context"]!)));
        Assert.True(File.Exists(Path.Combine(Repository.Root, (string)Compose["services"]!["setup"]!["build"]!["dockerfile"]!)));
    }

    [Fact]
    public void Containers_may_write_nothing_but_their_state_and_have_no_privileges()
    {
        foreach (var (name, service) in Services)
        {
            Assert.True((bool)service["read_only"]!, name);
            Assert.Equal("""["ALL"]""", service["cap_drop"]!.ToJsonString());
            Assert.Equal("""["no-new-privileges:true"]""", service["security_opt"]!.ToJsonString());
            Assert.True(
                (service["user"] is null || name is "publisher" or "redis") && (service["cap_add"] is null || name is "publisher"), name);
            Assert.All(service["ports"]?.AsArray() ?? [], port => Assert.StartsWith("127.0.0.1:", (string)port!, StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task The_setup_makes_configurations_that_each_service_accepts_and_keeps_them()
    {
        using var folder = new Folder();
        for (var run = 0; run < 2; run++)
        {
            await Command.RunAsync("sh", [Path.Combine(Repository.Root, "docker/setup"), folder.Path]);
        }

        foreach (var (name, service) in Services.Where(service => service.Name is not ("setup" or "redis")))
        {
            var command = service["command"]!.AsArray().Select(word => (string)word!).ToList();
            var environment = (service["environment"]?.AsObject() ?? []).ToDictionary(entry => entry.Key, entry => (string)entry.Value!);
            var config = command[^1].Replace("/config/", $"{folder.Path}/", StringComparison.Ordinal);
            await File.WriteAllTextAsync(
                config, (await File.ReadAllTextAsync(config)).Replace("/config/", $"{folder.Path}/", StringComparison.Ordinal));

            var check = await Cli.RunAsync(["check-config", "--config", config], new(
                environment)
            { ["TRUSTIXPROXY__" + (name is "publisher" ? "SPOOLDIRECTORY" : "STATEDIRECTORY")] = folder.File("state") });
            var help = await Cli.RunAsync([.. command[..^2], "--help"]);

            Assert.True(check.Code is 0, name + check.Error);
            Assert.Contains(command[^2], help.Output, StringComparison.Ordinal);
            Assert.StartsWith($"valid for {string.Join(' ', command[..^2])}", check.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_healthcheck_says_how_the_listener_is()
    {
        await using var good = await Health.StartAsync(200);
        await using var bad = await Health.StartAsync(503);

        await Command.RunAsync("bash", [Path.Combine(Repository.Root, "docker/healthcheck"), $"{good.Url.Port}"]);
        await Assert.ThrowsAnyAsync<Xunit.Sdk.XunitException>(
            () => Command.RunAsync("bash", [Path.Combine(Repository.Root, "docker/healthcheck"), $"{bad.Url.Port}"]));
    }

    [Fact]
    public void The_image_is_made_of_files_that_are_there_and_does_not_run_as_root()
    {
        var instructions = Continued.Replace(Repository.Read("docker/Dockerfile"), " ").Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(line => line[0] is not '#').Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToList();
        Assert.All(instructions, words => Assert.Contains(
            words[0], new[] { "FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD" }));
        foreach (var source in instructions.Where(words => words[0] is "COPY" && !words[1].StartsWith("--from=", StringComparison.Ordinal))
            .SelectMany(words => words[1..^1]))
        {
            Assert.True(Path.Exists(Path.Combine(Repository.Root, source)), source);
        }

        Assert.Equal(2, instructions.Count(words => words[0] is "FROM"));
        Assert.Equal("$APP_UID", instructions.Last(words => words[0] is "USER")[1]);
        Assert.Equal("""["trustix-proxy"]""", instructions.Single(words => words[0] is "ENTRYPOINT")[1]);
        foreach (var script in new[] { "docker/setup", "docker/healthcheck" })
        {
            Assert.True((File.GetUnixFileMode(Path.Combine(Repository.Root, script)) & UnixFileMode.OtherExecute) is not 0, script);
        }
    }

    private static IEnumerable<(string Name, JsonObject Service)> Services =>
        Compose["services"]!.AsObject().Select(service => (service.Key, service.Value!.AsObject()));

    private sealed class Health : FakeServer
    {
        private int _status;

        public static async Task<Health> StartAsync(int status)
        {
            var health = new Health { _status = status };
            await health.ListenAsync();
            return health;
        }

        protected override Task AnswerAsync(HttpContext context)
        {
            context.Response.StatusCode = context.Request.Path == "/healthz" ? _status : 404;
            return Task.CompletedTask;
        }
    }

    [GeneratedRegex(@" \\\n +")]
    private static partial Regex Continued { get; }
}
