using System.Diagnostics;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Benchmarks;

/// <summary>How long it takes to verify a farm's signature of a GNU Guix narinfo, and to make ours, parsing and hashing included.</summary>
internal static class GuixSignatures
{
    private const int Rounds = 21, CallsInATurn = 50;

    public static void Measure(Figures figures)
    {
        var farm = new GuixFarmKey("ci");
        var (output, ours) = (TestOutput.Make(), GuixSecretKey.Of(NixSecretKey.Generate("bench-1")));
        var (path, said) = (output.Path.In(Store.Guix), output.Statement);
        var head = GuixNarInfoText.Head(path, said.NarHash, said.NarSize, []);
        var signature = GuixSignature.TryParse($"{head}{farm.Sign(head).TrimEnd('\n')}", out var read) ? read
            : throw new InvalidOperationException("the farm's signature is malformed");
        var own = ours.Sign(path, said.NarHash, said.NarSize, []);
        Time(figures, "verify Guix's Ed25519-ECDSA", () => Check(farm.PublicKey.Verify(signature, out _)));
        Time(figures, "verify P-256", () => Check(ours.PublicKey.Verify(own, out _)));
        Time(figures, "sign P-256 by RFC 6979", () => ours.Sign(path, said.NarHash, said.NarSize, []));
    }

    private static void Check(bool isValid)
    {
        if (!isValid)
        {
            throw new InvalidOperationException("a valid signature is refused");
        }
    }

    private static void Time(Figures figures, string what, Action call)
    {
        var turns = new List<double>();
        for (var round = -5; round < Rounds; round++)
        {
            var start = Stopwatch.GetTimestamp();
            for (var i = 0; i < CallsInATurn; i++)
            {
                call();
            }

            turns.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds / CallsInATurn);
        }

        figures.AtMost(what, Figures.Median(turns.Skip(5)), "ms", 2);
    }
}
