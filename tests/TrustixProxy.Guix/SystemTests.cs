namespace TrustixProxy.Guix;

/// <summary>The service for Guix System, as the real Guix evaluates it, without the network.</summary>
[Collection(GuixLabCollection.Name)]
public sealed class SystemTests(GuixLab lab)
{
    [GuixFact]
    public async Task A_system_with_the_service_is_evaluated_without_the_network()
    {
        var (folder, system) = Files("system.scm");
        var machine = lab.Alice.Machine;

        var graph = (await machine.RunAsync("guix", "system", "extension-graph", "-L", folder, system)).OrThrow();
        var shepherd = (await machine.RunAsync("guix", "system", "shepherd-graph", "-L", folder, system)).OrThrow();
        var built = (await machine.RunAsync("guix", "system", "build", "--no-grafts", "-d", "-L", folder, system)).OrThrow();

        Assert.Contains("trustix-proxy", graph.Output, StringComparison.Ordinal);
        Assert.Contains("trustix-proxy", shepherd.Output, StringComparison.Ordinal);
        Assert.EndsWith("-system.drv", built.Output.Trim(), StringComparison.Ordinal);
    }

    [GuixFact]
    public async Task A_daemon_behind_the_proxy_asks_it_alone_and_trusts_its_key_alone()
    {
        var (folder, script) = Files("through.scm");

        var said = (await lab.Alice.Machine.RunAsync("guix", "repl", "-L", folder, "--", script)).OrThrow();

        Assert.Equal("(http://127.0.0.1:8080) 1", said.Output.Trim());
    }

    /// <summary>A folder with the service and another file, and the path of that.</summary>
    private (string Folder, string File) Files(string name)
    {
        var folder = Directory.CreateDirectory(Path.Combine(lab.Directory, $"{Guid.NewGuid():n}")).FullName;
        foreach (var file in new[] { "trustix-proxy.scm", name })
        {
            File.Copy(Path.Combine(AppContext.BaseDirectory, file), Path.Combine(folder, file));
        }

        return (folder, Path.Combine(folder, name));
    }
}
