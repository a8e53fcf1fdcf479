using System.Text;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Fuzz;

/// <summary>Build traces: addresses, what caches give, and what is kept.</summary>
internal static class TraceDoors
{
    private const string Digest = "g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q";

    public static IEnumerable<Door> All()
    {
        var hash = $"sha256:{new string('a', 64)}!out";
        var (key, named) = (KeyOf($"realisations/{hash}.doi"), KeyOf($"build-trace-v2/{Digest}-bar.drv/foo.doi"));
        var secret = NixSecretKey.Generate("fuzz-1");
        var cache = new Elector.Cache("cache", "cache", [secret.PublicKey]);
        var path = PathOf($"{Digest}-bar-foo");
        var (old, written) = (BuildTrace.Write(key, path, secret), BuildTrace.Write(named, path, secret));
        var dependent = old.Replace("{}", $$"""{"{{hash}}":"{{path}}"}""", StringComparison.Ordinal);
        var policy = new Policy([cache]);
        var seal = new TraceSeal(new RecordSeal(secret, []), policy);

        yield return Door.OfText("TraceKey", text => TraceKey.TryParse(text, out _), key.Address, named.Address);
        yield return Door.OfText("TraceKey, hash", text => TraceKey.TryParseHash(text, out _), hash);
        yield return Door.OfText("BuildTrace", text => BuildTrace.TryParse(key, Encoding.UTF8.GetBytes(text), out _), old, dependent);
        yield return Door.OfText("BuildTrace of a derivation",
            text => BuildTrace.TryParse(named, Encoding.UTF8.GetBytes(text), out _), written);
        yield return Door.OfText("TraceClaim", text => Read(named, text, cache) is { } claim && claim.OutPath == path, written);
        yield return new Door("TraceSeal", [seal.Seal(Record(policy, Read(named, written, cache)!))],
            bytes => seal.TryOpen(named, bytes, out _));
    }

    private static TraceClaim? Read(TraceKey key, string json, Elector.Cache cache) =>
        BuildTrace.TryParse(key, Encoding.UTF8.GetBytes(json), out var trace) && TraceClaim.TryReadSigned(trace, cache, out var claim)
            ? claim : null;

    private static TraceRecord Record(Policy policy, TraceClaim claim) =>
        policy.TryDecide(claim.Key, new Dictionary<string, TraceBallot> { ["cache"] = new(claim) }, out var verdict)
            ? TraceRecord.Of(verdict, DateTimeOffset.UnixEpoch) : throw new InvalidOperationException("One of one is a quorum.");

    private static TraceKey KeyOf(string address) => TraceKey.TryParse(address, out var key) ? key : throw new ArgumentException(address);

    private static StorePath PathOf(string name) =>
        StorePath.TryParse(name, out var path, out _) ? path : throw new ArgumentException(name);
}
