using System.Diagnostics;
using System.Security.Cryptography;
using TrustixProxy.Native;

namespace TrustixProxy.Benchmarks;

/// <summary>Ed25519 as the program does it (NSec, libsodium) beside libcrypto, in short turns: what else the machine does hits
/// both.</summary>
internal static class CryptoBenchmark
{
    private const int Rounds = 101;

    /// <summary>Signatures or verifications in one turn: 5 to 20 ms.</summary>
    private const int CallsInATurn = 100;

    public static int Run()
    {
        var seed = RandomNumberGenerator.GetBytes(Ed25519SigningKey.SeedSize);
        var digest = RandomNumberGenerator.GetBytes(32); // a tree head's
        var signing = new Ed25519SigningKey(seed);
        using var evpPrivate = EvpKey.Private(seed);
        using var evpPublic = EvpKey.Public(signing.PublicKey.Bytes);
        var signature = signing.Sign(digest);
        if (!evpPrivate.Sign(digest).AsSpan().SequenceEqual(signature) || !evpPublic.Verify(digest, signature))
        {
            throw new InvalidOperationException("libsodium and libcrypto do not make the same signature");
        }

        var figures = new Figures();
        Compare(figures, "sign", 2, () => signing.Sign(digest), () => evpPrivate.Sign(digest));
        Compare(figures, "verify", 1.8, () => signing.PublicKey.Verify(digest, signature), () => evpPublic.Verify(digest, signature));
        GuixSignatures.Measure(figures);
        return figures.AllMet ? 0 : 1;
    }

    private static void Compare(Figures figures, string what, double bar, Action ours, Action theirs)
    {
        var rounds = new List<(double Ours, double Theirs)>();
        for (var round = -10; round < Rounds; round++)
        {
            var pair = (PerSecond(ours), PerSecond(theirs));
            if (round >= 0)
            {
                rounds.Add(pair);
            }
        }

        Figures.Show($"{what}, NSec", Figures.Median(rounds.Select(pair => pair.Ours)), "a second");
        Figures.Show($"{what}, libcrypto", Figures.Median(rounds.Select(pair => pair.Theirs)), "a second");
        figures.AtLeast($"{what}, NSec over libcrypto", Figures.Median(rounds.Select(pair => pair.Ours / pair.Theirs)), "times", bar);
    }

    private static double PerSecond(Action action)
    {
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < CallsInATurn; i++)
        {
            action();
        }

        return CallsInATurn / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
