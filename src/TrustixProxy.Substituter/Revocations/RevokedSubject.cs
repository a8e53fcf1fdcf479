using System.Globalization;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Revocations;

/// <summary>Subject of a revocation. Equal texts are equal subjects.</summary>
/// <remarks><c>path DIGEST</c>, <c>nar sha256:…</c>, <c>log LOGID SIZE</c>.</remarks>
public abstract record RevokedSubject
{
    private RevokedSubject()
    {
    }

    /// <summary>A store path, with any content.</summary>
    public sealed record Path(StorePathDigest Digest) : RevokedSubject
    {
        /// <inheritdoc/>
        public override string ToString() => $"path {Digest}";
    }

    /// <summary>A NAR, at any path.</summary>
    /// <param name="NarHash">SHA-256 of the NAR.</param>
    public sealed record Nar(NixHash NarHash) : RevokedSubject
    {
        /// <inheritdoc/>
        public override string ToString() => $"nar {NarHash}";
    }

    /// <summary>The entries of a log from some index on.</summary>
    /// <param name="LogId">The log's id, since names may differ between replicas.</param>
    /// <param name="Since">Index of the first revoked leaf.</param>
    public sealed record Log(string LogId, long Since) : RevokedSubject
    {
        /// <inheritdoc/>
        public override string ToString() => $"log {LogId} {Since.ToString(CultureInfo.InvariantCulture)}";
    }

    /// <summary>Parses exactly the output of <see cref="object.ToString"/>.</summary>
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
