using TrustixProxy.Consensus;

namespace TrustixProxy.Apt;

/// <summary>The result of asking one rebuilder about one file.</summary>
public abstract record DebBallot
{
    private DebBallot()
    {
    }

    /// <summary>Whether the rebuilder did not answer: only then asking again may change the ballot soon.</summary>
    public bool IsOutage => this is Silent { IsAnswer: false };

    /// <summary>A signed claim, which is a vote; for another digest than the one asked about it is a proven dissent.</summary>
    /// <param name="Claim">What the rebuilder says.</param>
    /// <param name="Link">The link, as received, for re-checking.</param>
    public sealed record Claimed(DebClaim Claim, ReadOnlyMemory<byte> Link) : DebBallot;

    /// <summary>The rebuilder says that its build gave something else. It signs nothing: this is shown, and is no dissent.</summary>
    public sealed record Bad : DebBallot;

    /// <summary>The rebuilder does not know the file, or has not built it yet.</summary>
    public sealed record Unknown : DebBallot;

    /// <summary>The rebuilder gave no answer that counts. Without any answer a refusal may change soon; a useless one is final, as the
    /// same comes again.</summary>
    /// <param name="Reason">The reason.</param>
    public sealed record Silent(SilenceReason Reason) : DebBallot
    {
        /// <summary>Whether this is its definite answer, though unusable.</summary>
        public bool IsAnswer { get; init; }
    }

    /// <summary>Judges a link that a rebuilder gave for a file.</summary>
    /// <param name="link">The link.</param>
    /// <param name="rebuilder">The rebuilder, whose key must have signed it.</param>
    /// <param name="file">The file asked about.</param>
    public static DebBallot Of(ReadOnlyMemory<byte> link, Rebuilder rebuilder, DebFile file) =>
        RebuildLink.TryVerify(link, rebuilder.Key, file.FileName, out var claim, out var error) ? new Claimed(claim, link)
            : new Silent(error switch
            {
                LinkError.TooLarge => SilenceReason.TooLarge,
                LinkError.Signature => SilenceReason.NoSignature,
                LinkError.OtherFile => SilenceReason.ClaimOfOtherPath,
                _ => SilenceReason.ClaimMalformed,
            })
            { IsAnswer = true };
}
