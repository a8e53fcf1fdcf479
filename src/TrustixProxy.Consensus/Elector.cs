using System.Collections.Immutable;
using System.Text;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Consensus;

/// <summary>Under which key a log holds a path. The two forms never match each other.</summary>
public enum LogKeyForm
{
    /// <summary>The absolute path as text: what the reference's post-build hook, and ours, submit.</summary>
    StorePath,

    /// <summary>The digest's 160 bits, most significant first: what the reference's own proxy asks for.</summary>
    ReferenceProxy,
}

/// <summary>One who is asked what a build produced, and who answers for it.</summary>
/// <param name="Name">The name in answers; unique.</param>
/// <param name="Operator">Who runs it. An operator has one vote however many electors it has.</param>
public abstract record Elector(string Name, string Operator)
{
    /// <summary>The 32 raw bytes of each key that it votes with: no key votes for two.</summary>
    public abstract IEnumerable<byte[]> KeyBytes { get; }

    /// <summary>All that makes two configurations' electors the same voter, as one line.</summary>
    internal abstract string Identity { get; }

    /// <summary>A transparency log.</summary>
    /// <param name="Name">The name in answers; unique.</param>
    /// <param name="Operator">Who runs it.</param>
    /// <param name="Key">The log's public key.</param>
    /// <param name="KeyForm">Under which key the log holds a path.</param>
    /// <param name="RequiresInclusionProof">Whether a vote counts only when the log ties its map entry to the append-only log.</param>
    public sealed record Log(
        string Name, string Operator, LogKey Key, LogKeyForm KeyForm = LogKeyForm.StorePath, bool RequiresInclusionProof = true)
        : Elector(Name, Operator)
    {
        /// <inheritdoc/>
        public override IEnumerable<byte[]> KeyBytes => [Key.Bytes.ToArray()];

        /// <inheritdoc/>
        internal override string Identity =>
            $"{Name}|{Operator}|log|{Key}|{LogKey.NixProtocol}|{KeyForm}|{(RequiresInclusionProof ? "tied" : "untied")}";

        /// <summary>The key to ask this elector's log for.</summary>
        public byte[] KeyOf(StorePath path)
        {
            if (KeyForm is LogKeyForm.StorePath)
            {
                return Encoding.ASCII.GetBytes(path.Absolute);
            }

            // The reference decodes the digest as RFC 4648 does, first character first; Nix last character first: the same number, its
            // bytes the other way round.
            var key = path.Digest.ToBytes();
            Array.Reverse(key);
            return key;
        }
    }

    /// <summary>A binary cache whose operator builds what it signs: a narinfo with a valid signature is its vote.</summary>
    /// <param name="Name">The name in answers; unique.</param>
    /// <param name="Operator">Who runs it.</param>
    /// <param name="Keys">The public keys that it signs with; any one of them will do.</param>
    public sealed record Cache(string Name, string Operator, ImmutableArray<NixPublicKey> Keys)
        : Elector(Name, Operator)
    {
        /// <inheritdoc/>
        public override IEnumerable<byte[]> KeyBytes => Keys.Select(key => key.Bytes.ToArray());

        /// <inheritdoc/>
        internal override string Identity =>
            $"{Name}|{Operator}|cache|{string.Join(' ', Keys.Select(key => key.ToString()).Order(StringComparer.Ordinal))}";
    }
}
