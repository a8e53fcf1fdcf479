using System.Text.Json.Nodes;

namespace TrustixProxy.Apt.RealClients;

/// <summary>What every test of real programs shares: an archive, and two rebuilders that were told of its packages as by their
/// workers.</summary>
/// <remarks>Nothing outside its folder changes, and all processes end with it.</remarks>
public sealed class AptLab : IAsyncLifetime
{
    /// <summary>Both rebuilders have it.</summary>
    internal static readonly TestPackage Hello = new("hello", "2.12.3-1");

    /// <summary>One rebuilder built it, and the other something else.</summary>
    internal static readonly TestPackage Sl = new("sl", "5.02-1+b1");

    /// <summary>A version with all that versions may have, and a name with a plus; both rebuilders have it.</summary>
    internal static readonly TestPackage Odd = new("libodd++2", "2:1.0~rc1+dfsg.2-3~bpo12+b1");

    /// <summary>Of no architecture; both rebuilders have it.</summary>
    internal static readonly TestPackage Words = new("words", "1:20260101-1") { Architecture = "all" };

    /// <summary>Needs <see cref="Words"/> and <see cref="Hello"/>; both rebuilders have it.</summary>
    internal static readonly TestPackage Reader = new("reader", "1.0-1") { Depends = "words, hello" };

    /// <summary>Needs <see cref="Hello"/>, and <see cref="Sl"/>, which is refused.</summary>
    internal static readonly TestPackage Train = new("train", "1.0-1") { Depends = "hello, sl" };

    /// <summary>The second rebuilder has it in two releases, of which it built one.</summary>
    internal static readonly TestPackage Twice = new("twice", "3.1-2");

    /// <summary>The second rebuilder has it in two releases, in one of which it built something else.</summary>
    internal static readonly TestPackage TwiceBad = new("twice-bad", "3.1-2");

    /// <summary>One rebuilder never heard of it.</summary>
    internal static readonly TestPackage Unheard = new("unheard", "1.0-1");

    /// <summary>The second rebuilder's link names another file with this one's digest.</summary>
    internal static readonly TestPackage OtherFile = new("other-file", "1.0-1");

    /// <summary>The second rebuilder says GOOD, and its link names another digest.</summary>
    internal static readonly TestPackage OtherDigest = new("other-digest", "1.0-1");

    /// <summary>Large enough to be cut; both rebuilders have it.</summary>
    internal static readonly TestPackage Large = new("large", "1.0-1") { Size = 3_000_000 };

    /// <summary>Packages with random findings, for the comparison with repro-threshold.</summary>
    internal static readonly IReadOnlyList<TestPackage> Many =
    [
        .. Enumerable.Range(0, 50).Select(i =>
            new TestPackage($"many{i:00}", i % 3 is 0 ? $"{i % 2}:{i}.0~rc1-1+b{i % 4}" : $"{i}.1-1") { Size = 2_000 }),
    ];

    internal string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("trustix-apt-").FullName;

    internal ArchiveFolder Folder { get; private set; } = null!;

    internal Archive Archive { get; private set; } = null!;

    internal Rebuilder Alice { get; private set; } = null!;

    internal Rebuilder Bob { get; private set; } = null!;

    /// <summary>What the two were told of <see cref="Many"/>.</summary>
    internal IReadOnlyList<(Report Alice, Report Bob)> Findings { get; private set; } = [];

    /// <summary>Both rebuilders, as a gate is told of them.</summary>
    internal (string Name, string Url, string PublicKey)[] Both =>
        [("alice", Alice.Url, Alice.PublicKey), ("bob", Bob.Url, Bob.PublicKey)];

    public async Task InitializeAsync()
    {
        if (AptFolder.AtHand is null)
        {
            return; // the tests say what is missing
        }

        TestPackage[] good = [Hello, Odd, Words, Reader, Train, Large], single = [Sl, Twice, TwiceBad, Unheard, OtherFile, OtherDigest];
        var making = ArchiveFolder.MakeAsync(Directory, [.. good, .. single, .. Many]);
        (Alice, Bob) = (await Rebuilder.StartAsync(Directory, "alice"), await Rebuilder.StartAsync(Directory, "bob"));
        Folder = await making;
        Archive = await Archive.StartAsync(Folder);
        Findings = Draw();
        await Task.WhenAll(
            Alice.ReportAsync(Folder, [.. Of(Finding.Good, [.. good, .. single]), .. Findings.Select(pair => pair.Alice)]),
            Bob.ReportAsync(Folder,
            [
                .. Of(Finding.Good, good), new Report(Sl, Finding.Bad), new Report(Twice, Finding.Failed),
                new Report(TwiceBad, Finding.Bad),
                new Report(OtherFile, Finding.Good) { FileName = Folder.Of(Hello).FileName },
                new Report(OtherDigest, Finding.Good) { Sha256 = Folder.Of(Hello).Sha256 },
                .. Findings.Select(pair => pair.Bob),
            ]));
        await Bob.ReportAsync(Folder, [.. Of(Finding.Good, [Twice, TwiceBad])], release: "forky");
    }

    public async Task DisposeAsync()
    {
        if (AptFolder.AtHand is null)
        {
            return;
        }

        await Archive.DisposeAsync();
        await Alice.DisposeAsync();
        await Bob.DisposeAsync();
        System.IO.Directory.Delete(Directory, recursive: true);
    }

    /// <summary>A gate that demands both rebuilders.</summary>
    internal Task<Gate> StartGateAsync(Action<JsonObject>? change = null) => Gate.StartAsync(Directory, Archive.Url, Both, change);

    /// <summary>A machine that installs from a gate alone, and knows its indexes.</summary>
    /// <param name="gate">The gate.</param>
    /// <param name="apt">Whose apt it has; null for the folder's.</param>
    internal async Task<AptClient> StartClientAsync(Gate gate, string? apt = null)
    {
        var client = await AptClient.MakeAsync(Directory, apt ?? AptFolder.AtHand!, Folder, gate.Archive);
        (await client.UpdateAsync()).Result.OrThrow();
        return client;
    }

    private static IEnumerable<Report> Of(Finding finding, IEnumerable<TestPackage> packages) =>
        packages.Select(package => new Report(package, finding));

    /// <summary>Draws findings: each finding of one beside each of the other, then as chance has it, half of them good.</summary>
    private static (Report Alice, Report Bob)[] Draw()
    {
        var findings = Enum.GetValues<Finding>();
#pragma warning disable CA5394 // the same findings in each run
        var random = new Random(24);
        Finding Chance() => findings[Math.Max(0, random.Next(2 * findings.Length) - findings.Length)];
#pragma warning restore CA5394
        var each = findings.SelectMany(bob => findings.Select(alice => (alice, bob)));
        var drawn = Enumerable.Range(0, Many.Count).Select(_ => (alice: Chance(), bob: Chance()));
        return [.. Many.Zip(each.Concat(drawn), (package, pair) => (new Report(package, pair.alice), new Report(package, pair.bob)))];
    }
}

[CollectionDefinition(Name)]
public sealed class AptLabCollection : ICollectionFixture<AptLab>
{
    public const string Name = "the real apt";
}
