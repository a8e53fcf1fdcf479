namespace TrustixProxy.Guix;

/// <summary>A build farm: a machine that builds, signs and serves.</summary>
/// <param name="Machine">The machine.</param>
/// <param name="PublicKey">The key that it signs with, an S-expression.</param>
/// <param name="Url">Where <c>guix publish</c> listens.</param>
/// <param name="Outputs">What it has built, by name.</param>
internal sealed record Farm(Machine Machine, string PublicKey, string Url, IReadOnlyDictionary<string, string> Outputs)
{
    /// <summary>The derivations that every farm builds: name and script. Those of <c>odd</c> differ between farms.</summary>
    private static readonly (string Name, string Script)[] Derivations =
    [
        ("hello-1.0", "mkdir $out; echo \"hello from $shell\" > $out/text; busybox head -c 20000 /dev/zero > $out/zeros"),
        ("odd-1.0", "mkdir $out; busybox hostname > $out/text"),
        ("large-1.0", "busybox yes large | busybox head -c 4000000 > $out"),
    ];

    /// <summary>The script of a derivation.</summary>
    public static string ScriptOf(string name) => Derivations.Single(derivation => derivation.Name == name).Script;

    /// <summary>Has a machine make a key, build all derivations, and serve them.</summary>
    public static async Task<Farm> StartAsync(Machine machine)
    {
        var key = await machine.GenerateKeyAsync();
        await machine.StartDaemonAsync();
        var outputs = new Dictionary<string, string>();
        foreach (var (name, script) in Derivations)
        {
            outputs.Add(name, (await machine.BuildAsync(name, script)).Output);
        }

        return new Farm(machine, key, await machine.PublishAsync("-C", "gzip"), outputs);
    }
}
