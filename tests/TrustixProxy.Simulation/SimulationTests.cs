using Xunit.Abstractions;

namespace TrustixProxy.Simulation;

/// <summary>Electorates of which up to N − M operators lie in every known way, behind a hostile network: through the production doors, with
/// real signatures and proofs, in virtual time.</summary>
/// <remarks>A fault names its seed, its world and the command that repeats that world alone. A run is the same each time;
/// <c>TRUSTIXPROXY_SIMULATION_SEED</c> makes it another one, and <c>TRUSTIXPROXY_SIMULATION_REPORT</c> names a file for the
/// report.</remarks>
public sealed class SimulationTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Whatever_N_minus_M_operators_and_the_network_do_no_decision_breaks_the_rules_and_every_lie_is_answered()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("TRUSTIXPROXY_SIMULATION_SEED"), out var given) ? given : 7;

        var (isGood, report) = await Program.RunAsync(seed, decisions: 100_000, TimeSpan.Zero, Environment.ProcessorCount);

        report.ForEach(output.WriteLine);
        if (Environment.GetEnvironmentVariable("TRUSTIXPROXY_SIMULATION_REPORT") is { } file)
        {
            await File.WriteAllLinesAsync(file, report.Select(line => $"  {line}"));
        }

        Assert.True(isGood, string.Join('\n', report));
    }
}
