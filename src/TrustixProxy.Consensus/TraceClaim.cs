using TrustixProxy.Nix;

namespace TrustixProxy.Consensus;

/// <summary>What an elector says about where an output was built to: one key, one path. Equality is the vote.</summary>
/// <remarks>The outputs that it was built from, which older caches sign along, are no part of it: what is in those is decided for each.
/// </remarks>
public sealed record TraceClaim
{
    internal TraceClaim(TraceKey key, StorePath outPath) => (Key, OutPath) = (key, outPath);

    /// <summary>The output.</summary>
    public TraceKey Key { get; }

    /// <summary>Where it is.</summary>
    public StorePath OutPath { get; }

    /// <summary>Reads a signed cache's trace: the only way from a signature to a vote.</summary>
    /// <param name="trace">The trace.</param>
    /// <param name="elector">The cache, one of whose keys must have signed it.</param>
    /// <param name="claim">The claim.</param>
    public static bool TryReadSigned(BuildTrace trace, Elector.Cache elector, [NotNullWhen(true)] out TraceClaim? claim)
    {
        var isSigned = elector.Keys.OfType<NixPublicKey>()
            .Any(key => trace.Signatures.Any(signature => key.Verify(trace.Fingerprint, signature)));
        claim = isSigned ? new TraceClaim(trace.Key, trace.OutPath) : null;
        return claim is not null;
    }
}

/// <summary>One elector's answer about a build trace.</summary>
/// <param name="Claim">Its claim; null when it votes for none.</param>
/// <param name="Word">Why it does not, in a word; empty for a vote.</param>
public sealed record TraceBallot(TraceClaim? Claim, string Word = "")
{
    /// <summary>An elector that signs no traces.</summary>
    public static TraceBallot NoElector { get; } = new(null, "silent(signs no build traces)");

    /// <summary>An elector that has no trace for the key.</summary>
    public static TraceBallot Absent { get; } = new(null, "silent(not-found)");

    /// <summary>An elector without an answer that counts.</summary>
    public static TraceBallot Silent(SilenceReason reason) => new(null, $"silent({Kebab.Of(reason)})");
}

/// <summary>The result of the electors' answers about a build trace. Created only by <see cref="Policy"/>.</summary>
public sealed record TraceVerdict
{
    internal TraceVerdict(Outcome outcome, TraceClaim? granted, string sentence) =>
        (Outcome, Granted, Sentence) = (outcome, granted, sentence);

    /// <summary><see cref="Outcome.Agreed"/>, <see cref="Outcome.Conflict"/> or <see cref="Outcome.Undecided"/>.</summary>
    public Outcome Outcome { get; }

    /// <summary>The agreed claim; null for a refusal.</summary>
    public TraceClaim? Granted { get; }

    /// <summary>The reason in one line, with every elector's answer.</summary>
    public string Sentence { get; }
}
