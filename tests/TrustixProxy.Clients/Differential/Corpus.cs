using TrustixProxy.Nix;

namespace TrustixProxy.Clients.Differential;

/// <summary>Samples of one part of the corpus, signed with one key.</summary>
/// <param name="Part">Begins the part's lines in <c>differences.txt</c>.</param>
/// <param name="Key">The key that signs all samples.</param>
/// <param name="Samples">Two plain samples, and one of each oddity.</param>
internal sealed record Corpus(string Part, NixSecretKey Key, IReadOnlyList<Sample> Samples)
{
    private const int Seed = 17;

    /// <summary>Makes the samples of a part.</summary>
    /// <param name="oddities">Makes the part's oddities, given two plain paths.</param>
    public static Corpus Make(string part, Func<IReadOnlyList<StorePath>, IEnumerable<Oddity>> oddities)
    {
        var random = new Random(Seed);
        var seed = new byte[32];
        random.NextBytes(seed);
        var key = NixSecretKey.FromSeed("corpus-1", seed);
        var plain = new[] { "a plain path", "another plain path" }.Select(name => Sample.Make(new Oddity(name), random, key)).ToList();
        var odd = oddities([.. plain.Select(sample => sample.Path)]).Select(oddity => Sample.Make(oddity, random, key));
        return new Corpus(part, key, [.. plain, .. odd]);
    }

    /// <summary>Lists the samples that a version takes from the cache and not through the proxy.</summary>
    public IEnumerable<Sample> Lost(Fetched straight, Fetched proxied) =>
        Samples.Where(sample => straight.Taken.Contains(sample.Path) && !proxied.Taken.Contains(sample.Path));
}
