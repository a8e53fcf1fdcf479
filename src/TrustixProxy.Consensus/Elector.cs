using System.Collections.Immutable;
using System.Text;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Consensus;

/// <summary>The form of a log's keys for paths. The two forms never match each other.</summary>
public enum LogKeyForm
{
    /// <summary>The absolute path as text: the reference's post-build hook, and ours, submit it.</summary>
    StorePath,

    /// <summary>The digest's 160 bits, most significant first: the reference's own proxy asks for it.</summary>
    ReferenceProxy,
}

/// <summary>An elector: asked for a build's output, and accountable for its answers.</summary>
/// <param name="Name">The name in answers; unique.</param>
/// <param name="Operator">The operator who runs it. An operator has one vote, however many electors it has.</param>
public abstract record Elector(string Name, string Operator)
{
    /// <summary>What its operator says about it.</summary>
    public ElectorTags Tags { get; init; } = ElectorTags.None;

    /// <summary>The raw keys it votes with; no key votes for two electors.</summary>
    public abstract IEnumerable<byte[]> KeyBytes { get; }

    /// <summary>One line of text that is equal for two configurations of the same elector.</summary>
    public abstract string Identity { get; }

    /// <summary>A transparency log.</summary>
    /// <param name="Name">The name in answers; unique.</param>
    /// <param name="Operator">The operator who runs it.</param>
    /// <param name="Key">The log's public key.</param>
    /// <param name="KeyForm">The form of the log's keys for paths.</param>
    /// <param name="RequiresInclusionProof">Whether a vote counts only if the log ties its map entry to the append-only log.</param>
    public sealed record Log(
        string Name, string Operator, LogKey Key, LogKeyForm KeyForm = LogKeyForm.StorePath, bool RequiresInclusionProof = true)
        : Elector(Name, Operator)
    {
        /// <inheritdoc/>
        public override IEnumerable<byte[]> KeyBytes => [Key.Bytes.ToArray()];

        /// <summary>The witnesses that must have seen its heads; null when none need to.</summary>
        public WitnessDemand? Witnesses { get; init; }

        /// <inheritdoc/>
        public override string Identity =>
            $"{Name}|{Operator}|log|{Key}|{LogKey.NixProtocol}|{KeyForm}|{(RequiresInclusionProof ? "tied" : "untied")}"
                + (Witnesses is null ? "" : $"|witnessed {Witnesses.Identity}");

        /// <summary>Returns the key to look up in this elector's log.</summary>
        public byte[] KeyOf(StorePath path)
        {
            if (KeyForm is LogKeyForm.StorePath)
            {
                return Encoding.ASCII.GetBytes(path.Absolute);
            }

            // The reference decodes the digest like RFC 4648, first character first; Nix last character first: the same number, its
            // bytes reversed.
            var key = path.Digest.ToBytes();
            Array.Reverse(key);
            return key;
        }
    }

    /// <summary>A binary cache that builds what it signs: a narinfo with a valid signature is its vote.</summary>
    /// <param name="Name">The name in answers; unique.</param>
    /// <param name="Operator">The operator who runs it.</param>
    /// <param name="Keys">The public keys it signs with; a signature by any one suffices.</param>
    public sealed record Cache(string Name, string Operator, ImmutableArray<CacheKey> Keys)
        : Elector(Name, Operator)
    {
        /// <inheritdoc/>
        public override IEnumerable<byte[]> KeyBytes => Keys.Select(key => key.Bytes.ToArray());

        /// <inheritdoc/>
        public override string Identity =>
            $"{Name}|{Operator}|cache|{string.Join(' ', Keys.Select(key => key.ToString()).Order(StringComparer.Ordinal))}";
    }

    /// <summary>A server of proof files: a file that proves a path's fingerprint to be an entry of a witnessed log is a vote.</summary>
    /// <param name="Name">The name in answers; unique.</param>
    /// <param name="Operator">The operator who runs the log, or who signs what a log of Sigsum holds.</param>
    /// <param name="Witnesses">The log's key, and the witnesses that must have seen the log.</param>
    public sealed record ProofFiles(string Name, string Operator, WitnessPolicy Witnesses)
        : Elector(Name, Operator)
    {
        /// <summary>The keys, one of which signed what is proven; then files are Sigsum's. Empty for C2SP's tlog-proof.</summary>
        public ImmutableArray<SigsumKey> Submitters { get; init; } = [];

        /// <inheritdoc/>
        /// <remarks>A log of Sigsum holds what many submit, so that its key does not stand for one of them.</remarks>
        public override IEnumerable<byte[]> KeyBytes => Submitters.IsEmpty ? Witnesses.Logs.Select(log => log.Key.Bytes.ToArray())
            : Submitters.Select(key => key.Bytes.ToArray());

        /// <inheritdoc/>
        public override string Identity => $"{Name}|{Operator}|proof files|{Digest.Of(Encoding.UTF8.GetBytes(Witnesses.Text))}"
            + (Submitters.IsEmpty ? ""
                : $"|signed by {string.Join(' ', Submitters.Select(key => key.ToString()).Order(StringComparer.Ordinal))}");
    }
}
