using TrustixProxy.Apt;
using TrustixProxy.AptGate.Hosting;
using TrustixProxy.AptGate.Inspection;
using TrustixProxy.AptGate.Rebuilders;
using TrustixProxy.AptGate.Storage;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.AptGate.Tests;

/// <summary>What goes past the gate is found.</summary>
public sealed class AptSourcesTests
{
    [Fact]
    public void Lines_of_the_old_form_are_read_as_apt_reads_them()
    {
        const string text = """
            # deb http://comment.example/debian sid main
            deb http://gate:8092/debian sid main   # deb http://remark.example
            deb [arch=amd64 trusted=yes] http://other.example/debian sid main
            deb-src http://source.example/debian sid main
            	deb file:/srv/mirror ./
            """;

        var sources = AptSources.OfLines("sources.list", text).ToList();

        Assert.Equal(["http://gate:8092/debian", "http://other.example/debian", "file:/srv/mirror"], sources.Select(source => source.Uri));
        Assert.Equal([false, true, false], sources.Select(source => source.IsTrusted));
    }

    [Fact]
    public void Stanzas_are_read_with_their_continuations_and_those_that_are_off_are_not()
    {
        const string text = """
            Types: deb deb-src
            URIs: http://gate:8092/debian
             http://other.example/debian
            # a remark
            Suites: sid
            Trusted: yes

            Types: deb-src
            URIs: http://source.example/debian

            Enabled: no
            Types: deb
            URIs: http://off.example/debian
            """;

        var sources = AptSources.OfStanzas("debian.sources", text).ToList();

        Assert.Equal(["http://gate:8092/debian", "http://other.example/debian"], sources.Select(source => source.Uri));
        Assert.All(sources, source => Assert.True(source.IsTrusted));
    }

    [Fact]
    public async Task A_second_source_and_a_rebuilder_with_another_key_are_named()
    {
        await using var alice = await FakeRebuilder.StartAsync();
        await using var bob = await FakeRebuilder.StartAsync();
        using var folder = new TestFolder();
        Directory.CreateDirectory(Path.Combine(folder.Path, "etc/apt/sources.list.d"));
        File.WriteAllText(Path.Combine(folder.Path, "etc/apt/sources.list"), "deb http://127.0.0.1:8092/debian sid main\n");
        File.WriteAllText(Path.Combine(folder.Path, "etc/apt/sources.list.d/other.sources"),
            "Types: deb\nURIs: http://deb.example/debian http://localhost:8092/ubuntu\nSuites: sid\n");
        var doctor = new GateDoctor(OptionsOf(folder, (alice, alice), (bob, alice), (null, bob)));

        var sources = doctor.OfSources(AptSources.Read(folder.Path), [new Uri("http://127.0.0.1:8092")]).ToList();
        var peers = await doctor.OfPeersAsync(TimeProvider.System, default);

        Assert.Equal([GateFindingKind.Good, GateFindingKind.Bad, GateFindingKind.Bad], sources.Select(finding => finding.Kind));
        Assert.Contains("other.sources names it beside the gate", sources[1].Text, StringComparison.Ordinal);
        Assert.Contains("the gate has no archive 'ubuntu'", sources[2].Text, StringComparison.Ordinal);
        Assert.Equal([GateFindingKind.Good, GateFindingKind.Bad, GateFindingKind.Unknown], peers.Select(finding => finding.Kind));
        Assert.Contains("shows other keys", peers[1].Text, StringComparison.Ordinal);
    }

    /// <summary>A gate whose rebuilders are these, each with the key of another; one that is null listens nowhere.</summary>
    private static AptGateOptions OptionsOf(TestFolder folder, params (FakeRebuilder? At, FakeRebuilder Key)[] rebuilders)
    {
        var list = rebuilders.Select((pair, i) => new RebuilderOptions(
            new Rebuilder($"r{i}", $"r{i}", RebuilderKey.TryParse(pair.Key.KeyText, out var key, out _) ? key : null!),
            pair.At?.Url ?? new Uri("http://127.0.0.1:1"))).ToList();
        return new AptGateOptions
        {
            Listen = ["http://127.0.0.1:8092"],
            StateDirectory = folder.Path,
            SigningKey = NixSecretKey.Generate("gate-1"),
            Archives = [new("debian", new Uri("http://deb.example/debian"))],
            Rebuilders = [.. list],
            Policy = new Policy([list[0].Elector], 1),
            Store = new FileStoreOptions(folder.Path, 1 << 20),
        };
    }
}
