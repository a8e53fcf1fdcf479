using System.Diagnostics;
using TrustixProxy.Apt;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Substituter.Hosting;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Fuzz;

/// <summary>Every door gets damaged input for a bounded time: it answers, never throws, and never takes long.</summary>
/// <remarks>A failure names the door, the seed and the input. <c>TRUSTIXPROXY_FUZZ_SEED</c> repeats a run; <c>TRUSTIXPROXY_FUZZ_SECONDS</c>
/// makes it longer (per door; 2 unless set).</remarks>
public sealed class FuzzTests
{
    private static readonly int Seed = int.TryParse(Environment.GetEnvironmentVariable("TRUSTIXPROXY_FUZZ_SEED"), out var seed) ? seed
        : Random.Shared.Next();

    private static readonly TimeSpan Duration =
        TimeSpan.FromSeconds(double.TryParse(Environment.GetEnvironmentVariable("TRUSTIXPROXY_FUZZ_SECONDS"),
            System.Globalization.CultureInfo.InvariantCulture, out var seconds) ? seconds : 2);

    /// <summary>Longest that one input of a few kilobytes may take, on a machine that is busy.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    public static TheoryData<string> Names => [.. Doors.All.Select(door => door.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Damaged_input_is_answered_and_never_throws_or_hangs(string name)
    {
        var door = Doors.All.Single(door => door.Name == name);
        var mutator = new Mutator(Seed);
        var watch = Stopwatch.StartNew();
        var rounds = 0;
        for (; rounds < 100 || (watch.Elapsed < Duration && rounds < 50_000); rounds++)
        {
            var input = mutator.Mutate(door.Seeds);
            try
            {
                await Task.Run(() => door.Open(input)).WaitAsync(Patience);
            }
            catch (Exception fault)
            {
                Assert.Fail($"{name}, seed {Seed}, round {rounds}, input {Convert.ToHexString(input)}: {fault}");
            }
        }
    }

    /// <summary>JSON may spell text that is not Unicode, in a value and in a member's name: System.Text.Json finds that late.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Half_a_surrogate_pair_anywhere_in_a_text_is_answered(string name)
    {
        var door = Doors.All.Single(door => door.Name == name);
        foreach (var seed in door.Seeds)
        {
            foreach (var at in Enumerable.Range(0, seed.Length).Where(i => seed[i] is (byte)'"').Take(1000))
            {
                door.Open([.. seed.AsSpan(0, at + 1), .. "\\ud800"u8, .. seed.AsSpan(at + 1)]);
            }
        }
    }

    [Fact]
    public void No_public_reader_of_foreign_bytes_is_left_out()
    {
        string[] verbs = ["TryParse", "TryRead", "TryVerify", "TryOpen", "TryAdvance", "TryDecode"];
        var readers = new[] { typeof(NixHash), typeof(LogKey), typeof(OutputClaim), typeof(PathInfo), typeof(SubstituterHost),
            typeof(RebuildLink) }
            .SelectMany(type => type.Assembly.GetExportedTypes())
            .Where(type => type.GetMethods()
                .Any(method => method.DeclaringType == type && verbs.Any(verb => method.Name.StartsWith(verb, StringComparison.Ordinal))))
            .Select(type => type.Name);

        Assert.All(readers, reader => Assert.Contains(Doors.All, door => door.Name.StartsWith(reader, StringComparison.Ordinal)));
    }

    /// <summary>A seed that is refused would test only the first check behind a door.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void What_is_damaged_was_accepted_before(string name)
    {
        var door = Doors.All.Single(door => door.Name == name);

        Assert.All(door.Seeds, seed => Assert.True(door.Open(seed)));
    }
}
