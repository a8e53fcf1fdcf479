namespace TrustixProxy.Apt.RealClients;

/// <summary>D2: repro-threshold, with the same apt, archive and rebuilders, gives the same verdicts but for those listed.</summary>
[Collection(AptLabCollection.Name)]
public sealed class DifferentialTests(AptLab lab)
{
    private static readonly string[] Listed =
    [
        .. File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "differences.txt"))
            .Where(line => !line.StartsWith('#')).Select(line => line.Split(" | ")[0]),
    ];

    [AptTheory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Fifty_packages_with_random_findings_and_the_odd_ones_have_the_same_verdicts(int threshold)
    {
        await using var gate = await lab.StartGateAsync(root => root["policy"]!["quorum"] = threshold);
        TestPackage[] packages =
        [
            .. AptLab.Many, AptLab.Hello, AptLab.Sl, AptLab.Odd, AptLab.Words, AptLab.Twice, AptLab.TwiceBad, AptLab.Unheard,
            AptLab.OtherFile, AptLab.OtherDigest,
        ];
        var configuration = Path.Combine(lab.Directory, $"threshold-{threshold}.conf");
        await File.WriteAllTextAsync(configuration, $"""
            [rules]
            required_threshold = {threshold}
            {string.Concat(new[] { lab.Alice, lab.Bob }.Select(rebuilder => $"""

            [[trusted_rebuilder]]
            name = "{rebuilder.NamedUrl.Host}"
            url = "{rebuilder.NamedUrl}"
            distributions = ["debian"]
            signing_keyring = '''{rebuilder.PublicKey}'''

            """))}
            """);

        var named = new UriBuilder(lab.Archive.Url) { Host = "archive.example" }.Uri;
        var ours = await DownloadAsync(gate.Archive, packages);
        var theirs = await DownloadAsync($"reproduced+{named}", packages, $"REPRO_THRESHOLD_CONFIG={configuration}");

        var expected = lab.Findings
            .Where(pair => new[] { pair.Alice, pair.Bob }.Count(report => report.Finding is Finding.Good) >= threshold)
            .Select(pair => pair.Alice.Package.Name);
        Assert.Equal(expected, ours.Intersect(AptLab.Many.Select(package => package.Name)));
        Assert.Equal(
            Listed.Where(key => key.EndsWith($" at {threshold}", StringComparison.Ordinal)).Order(),
            ours.Except(theirs).Select(name => $"{name} taken by ours alone at {threshold}")
                .Concat(theirs.Except(ours).Select(name => $"{name} taken by repro-threshold alone at {threshold}")).Order());
    }

    /// <summary>Has apt download packages, and tells which it got.</summary>
    private async Task<IReadOnlyList<string>> DownloadAsync(string url, TestPackage[] packages, params string[] environment)
    {
        var client = await AptClient.MakeAsync(lab.Directory, AptFolder.AtHand!, lab.Folder, url);
        client.Environment = environment;
        (await client.UpdateAsync()).Result.OrThrow();
        await client.RunAsync(["-o", "Acquire::Retries=0", "download", .. packages.Select(package => package.Name)]);
        return [.. packages.Where(IsWhole).Select(package => package.Name)];

        // repro-threshold leaves what it withholds the end of
        bool IsWhole(TestPackage package) => Directory.GetFiles(client.Root, $"{package.Name}_*.deb") is [var file]
            && new FileInfo(file).Length == lab.Folder.SizeOf(package);
    }
}
