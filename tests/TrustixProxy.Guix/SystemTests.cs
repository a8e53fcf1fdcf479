namespace TrustixProxy.Guix;

/// <summary>The service for Guix System, as the real Guix evaluates it, without the network.</summary>
[Collection(GuixLabCollection.Name)]
public sealed class SystemTests(GuixLab lab)
{
    [GuixFact]
    public async Task A_system_with_the_service_is_evaluated_without_the_network()
    {
        var folder = Directory.CreateDirectory(Path.Combine(lab.Directory, "system")).FullName;
        foreach (var file in new[] { "trustix-proxy.scm", "system.scm" })
        {
            File.Copy(Path.Combine(AppContext.BaseDirectory, file), Path.Combine(folder, file));
        }

        var machine = lab.Alice.Machine;
        var system = Path.Combine(folder, "system.scm");
        var graph = (await machine.RunAsync("guix", "system", "extension-graph", "-L", folder, system)).OrThrow();
        var shepherd = (await machine.RunAsync("guix", "system", "shepherd-graph", "-L", folder, system)).OrThrow();
        var built = (await machine.RunAsync("guix", "system", "build", "--no-grafts", "-d", "-L", folder, system)).OrThrow();

        Assert.Contains("trustix-proxy", graph.Output, StringComparison.Ordinal);
        Assert.Contains("trustix-proxy", shepherd.Output, StringComparison.Ordinal);
        Assert.EndsWith("-system.drv", built.Output.Trim(), StringComparison.Ordinal);
    }
}
