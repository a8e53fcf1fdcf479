using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using TrustixProxy.Apt.RealClients;

namespace TrustixProxy.Benchmarks;

/// <summary>A real apt gets 300 packages through the gate, through nginx and through apt-cacher-ng, cold and warm. The archive and the
/// rebuilders are 50 ms away, behind relays in this process.</summary>
internal static class AptBenchmark
{
    private const int Packages = 300, OtherPackages = 68_000, Rounds = 3;

    private static readonly TimeSpan RoundTrip = TimeSpan.FromMilliseconds(50);

    public static async Task<int> RunAsync()
    {
        if (AptFolder.Missing is { } missing)
        {
            Console.Error.WriteLine(missing);
            return 2;
        }

        if (!Tools.AreThere(("nginx", "nginx-light")))
        {
            return 2;
        }

        using var lab = new ScratchDirectory();
        var packages = Enumerable.Range(0, Packages)
            .Select(i => new TestPackage($"bench{i:000}", $"1:{i}.0~rc1-1+b1") { Size = 20_000 + (i % 10 * 40_000) });
        var folder = await ArchiveFolder.MakeAsync(lab.Path, [.. packages], Stanzas(OtherPackages));
        await using var archive = await Archive.StartAsync(folder);
        await using var first = await AptRebuilder.StartAsync(folder);
        await using var second = await AptRebuilder.StartAsync(folder);
        using var stage = new AptStage(lab.Path, folder, new DelayRelay(archive.Url, RoundTrip),
            [(first, new DelayRelay(first.Url, RoundTrip)), (second, new DelayRelay(second.Url, RoundTrip))]);
        var figures = new Figures();
        var rounds = new List<(Times Ours, Times Nginx, Times? Cacher)>();
        for (var round = 0; round < Rounds; round++)
        {
            var nginx = await stage.NginxAsync();
            var ours = await stage.GateAsync(figures, isLast: round == Rounds - 1);
            var cacher = AptCacher.IsThere ? await stage.CacherAsync() : null;
            rounds.Add((ours, nginx, cacher));
        }

        Report(figures, rounds);
        return figures.AllMet ? 0 : 1;
    }

    private static void Report(Figures figures, List<(Times Ours, Times Nginx, Times? Cacher)> rounds)
    {
        Console.WriteLine(
            $"{Packages} packages by one apt, indexes of {OtherPackages + Packages:N0}, all 50 ms away, median of {Rounds} rounds");
        Compare("cold", times => times.Cold, 1.2);
        Compare("warm", times => times.Warm, 1.1);

        void Compare(string what, Func<Times, double> of, double bar)
        {
            Figures.Show($"{what}: nginx", Figures.Median(rounds.Select(round => of(round.Nginx))), "s");
            Figures.Show($"{what}: the gate", Figures.Median(rounds.Select(round => of(round.Ours))), "s");
            if (rounds.TrueForAll(round => round.Cacher is not null))
            {
                Figures.Show($"{what}: apt-cacher-ng", Figures.Median(rounds.Select(round => of(round.Cacher!))), "s");
            }

            figures.AtMost(
                $"{what}: the gate over nginx", Figures.Median(rounds.Select(round => of(round.Ours) / of(round.Nginx))), "times", bar);
        }
    }

    /// <summary>Stanzas of packages that nobody asks for, each as long as Debian's are.</summary>
    private static string Stanzas(int count)
    {
        var text = new StringBuilder();
        for (var i = 0; i < count; i++)
        {
            var hash = Convert.ToHexStringLower(SHA256.HashData(BitConverter.GetBytes(i)));
            text.Append(CultureInfo.InvariantCulture, $"""

                Package: libother{i}-dev
                Source: other{i} (1.{i}-1)
                Version: 1.{i}-1+b1
                Installed-Size: {i % 9000}
                Maintainer: Debian Tests Team <pkg-tests-maintainers@alioth-lists.example.net>
                Architecture: amd64
                Depends: libc6 (>= 2.39), libgcc-s1 (>= 4.2), libstdc++6 (>= 13.1), libother{i / 2} (= 1.{i / 2}-1+b1)
                Description: development files for the other library of number {i}
                Multi-Arch: same
                Homepage: https://www.example.org/projects/other{i}
                Description-md5: {hash[..32]}
                Tag: devel::library, implemented-in::c++, role::devel-lib, role::shared-lib, interface::commandline
                Section: libdevel
                Priority: optional
                Filename: pool/main/o/other{i}/libother{i}-dev_1.{i}-1+b1_amd64.deb
                Size: {1000 + i}
                MD5sum: {hash[32..]}
                SHA256: {hash}

                """);
        }

        return text.ToString();
    }
}

/// <summary>Wall times in seconds, of the first client and of the second.</summary>
internal sealed record Times(double Cold, double Warm);
