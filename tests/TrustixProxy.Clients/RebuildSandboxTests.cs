using System.Net;
using System.Net.Sockets;
using TrustixProxy.Nix;

namespace TrustixProxy.Clients;

/// <summary>Builders are foreign code: what a rebuilder has, they neither read nor change.</summary>
[Collection(ClientLabCollection.Name)]
public sealed class RebuildSandboxTests(ClientLab lab)
{
    private const string Shut = "outside refused\ninput refused\nenvironment refused\n";

    [Theory]
    [EachClient]
    public async Task A_builder_reads_nothing_of_ours_reaches_no_network_and_writes_nothing_outside(string version)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var outside = Path.Combine(lab.Directory, $"outside-{version}");
        var stage = await RebuildStage.MakeAsync(lab, version, "spy", "[ ]");
        var secrets = await SecretsAsync(stage);
        await stage.WriteAsync($$"""
            [ (mk "spy" [ "spy" "{{((IPEndPoint)listener.LocalEndpoint).Port}}" "{{outside}}" (mk "seen" [ "write" "x" ])
                {{Texts(secrets)}} ]) ]
            """);
        var path = (await stage.OutputsAsync()).Values.Single();

        var run = await stage.RebuildAsync(Settings(stage, secrets[0]), path.Absolute);

        Assert.True(run.Code is 0, run.ToString());
        Assert.Equal($"network refused\n{Shut}{Refused(secrets)}", await File.ReadAllTextAsync(stage.Store + path.Absolute));
        Assert.False(File.Exists(outside));
        Assert.False(listener.Pending());
    }

    [Theory]
    [EachClient]
    public async Task A_builder_of_a_fixed_output_which_has_the_network_reads_nothing_of_ours_either(string version)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var outside = Path.Combine(lab.Directory, $"outside-fixed-{version}");
        var stage = await RebuildStage.MakeAsync(lab, version, "fixed", "[ ]");
        var secrets = await SecretsAsync(stage);
        var expected = $"network reached\n{Shut}{Refused(secrets)}"; // the hash of its output says what it has read
        await stage.WriteAsync($$"""
            [ (fixed "spy-fixed" [ "spy" "{{((IPEndPoint)listener.LocalEndpoint).Port}}" "{{outside}}" (mk "seen" [ "write" "y" ])
                {{Texts(secrets)}} ] "{{expected.Replace("\n", "\\n", StringComparison.Ordinal)}}") ]
            """);
        var path = (await stage.OutputsAsync()).Values.Single();

        var run = await stage.RebuildAsync(Settings(stage, secrets[0]), path.Absolute);

        Assert.True(run.Code is 0, run.ToString());
        Assert.True(listener.Pending());
        Assert.False(File.Exists(outside));
    }

    private static object Settings(RebuildStage stage, string token) =>
        new { expressions = new[] { stage.Expression }, inputs = "build", wantedTokenFile = token };

    private static string Texts(IEnumerable<string> texts) =>
        string.Join(' ', texts.Select(text => $"\"{text}\""));

    private static string Refused(IReadOnlyCollection<string> secrets) => string.Concat(secrets.Select(_ => "refused\n"));

    /// <summary>Makes what a rebuilder's machine has: the token of the work lists, a log's key, results in the spool, records.</summary>
    private static async Task<IReadOnlyList<string>> SecretsAsync(RebuildStage stage)
    {
        var folder = Path.GetDirectoryName(stage.Store)!;
        var (token, key) = (Path.Combine(folder, "token"), Path.Combine(folder, "log.key"));
        var (result, record) = (Path.Combine(stage.Spool, "1-x.info"), Path.Combine(stage.Store, "rebuilds", "x.json"));
        foreach (var file in new[] { token, key, result, record })
        {
            Directory.CreateDirectory(
                Path.GetDirectoryName(file)!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            await File.WriteAllTextAsync(file, "secret");
            File.SetUnixFileMode(file, UnixFileMode.UserRead);
        }

        return [token, key, result, record, $"/proc/1/root{token}", stage.Spool, stage.Store, "/etc/shadow", "/root"];
    }
}
