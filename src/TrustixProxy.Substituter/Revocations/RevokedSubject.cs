using System.Globalization;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Revocations;

/// <summary>What a revocation is of. Equal texts are equal subjects.</summary>
/// <remarks><c>path DIGEST</c>, <c>nar sha256:…</c>, <c>log LOGID SIZE</c>.</remarks>
public abstract record RevokedSubject
{
    private RevokedSubject()
    {
    }

    /// <summary>A store path, whatever is in it.</summary>
    /// <param name="Digest">The path's digest.</param>
    public sealed record Path(StorePathDigest Digest) : RevokedSubject
    {
        /// <inheritdoc/>
        public override string ToString() => $"path {Digest}";
    }

    /// <summary>A NAR, whatever path it is of.</summary>
    /// <param name="NarHash">SHA-256 of it.</param>
    public sealed record Nar(NixHash NarHash) : RevokedSubject
    {
        /// <inheritdoc/>
        public override string ToString() => $"nar {NarHash}";
    }

    /// <summary>What a log has taken in from some time on.</summary>
    /// <param name="LogId">The log's id: names may differ from replica to replica.</param>
    /// <param name="Since">The first leaf that is no longer believed.</param>
    public sealed record Log(string LogId, long Since) : RevokedSubject
    {
        /// <inheritdoc/>
        public override string ToString() => $"log {LogId} {Since.ToString(CultureInfo.InvariantCulture)}";
    }

    /// <summary>Reads what <see cref="object.ToString"/> writes, and nothing else.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out RevokedSubject? subject)
    {
        subject = text.Split(' ') switch
        {
            ["path", var digest] when StorePathDigest.TryParse(digest, out var path) => new Path(path),
            ["nar", var hash] when NixHash.TryParse(hash, out var narHash, out _) && narHash.Algorithm is NixHashAlgorithm.Sha256 =>
                new Nar(narHash),
            ["log", { Length: 64 } logId, var since]
                when long.TryParse(since, NumberStyles.None, CultureInfo.InvariantCulture, out var size) => new Log(logId, size),
            _ => null,
        };
        subject = subject?.ToString() == text ? subject : null;
        return subject is not null;
    }
}
