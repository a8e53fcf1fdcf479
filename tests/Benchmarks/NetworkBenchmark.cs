namespace TrustixProxy.Benchmarks;

/// <summary>What a poor network and hostile clients cost. Each part has a letter, and can be run alone.</summary>
internal static class NetworkBenchmark
{
    private static readonly (string Letter, string What, Func<Figures, Task> RunAsync)[] Parts =
    [
        ("a", "misses beside a dead and a hanging upstream", NetworkMisses.MissesAsync),
        ("b", "a NAR over connections that end early", NetworkNars.ResumeAsync),
        ("c", "many ranges of one NAR at once", NetworkNars.RangesAsync),
        ("d", "a NAR that is gone", NetworkNars.GoneAsync),
        ("e", "an IPv6 address that swallows connections", NetworkMisses.DeadAddressAsync),
        ("f", "random misses by one client", NetworkRefusals.RandomMissesAsync),
        ("g", "refused paths that many clients ask for again", NetworkRefusals.AskedAgainAsync),
        ("h", "a slow client beside a fast one", NetworkNars.SlowBesideFastAsync),
    ];

    /// <summary>Whether each is the letter of a part.</summary>
    public static bool AreLetters(string[] letters) => letters.All(letter => Parts.Any(part => part.Letter == letter));

    /// <summary>Runs the parts with these letters; all of them when none is given.</summary>
    public static async Task<int> RunAsync(string[] letters)
    {
        if (!Tools.AreThere(("nginx", "nginx-light"), ("zstd", "zstd")))
        {
            return 2;
        }

        var figures = new Figures();
        foreach (var part in Parts.Where(part => letters.Length is 0 || letters.Contains(part.Letter)))
        {
            Console.WriteLine($"({part.Letter}) {part.What}");
            await part.RunAsync(figures);
        }

        return figures.AllMet ? 0 : 1;
    }
}
