using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Remembers which agreed path has which file, for paths that hold debug information: clients know those by the files' names
/// only.</summary>
/// <remarks>These are hints, which are not trusted: a caller must decide on the path and compare the file's hash.</remarks>
internal sealed class DebugArchives
{
    /// <summary>End of the names of outputs with debug information.</summary>
    private const string NameSuffix = "-debug";

    private readonly StateWriter _state;

    public DebugArchives(StateWriter state)
    {
        _state = state;
        state.Database.Ensure("""
            CREATE TABLE IF NOT EXISTS debug_archive (file TEXT PRIMARY KEY, digest TEXT NOT NULL, expires_at INTEGER NOT NULL);
            CREATE INDEX IF NOT EXISTS debug_archive_expires_at ON debug_archive (expires_at);
            """);
    }

    /// <summary>Remembers the file of a decision, if its path holds debug information.</summary>
    public void Note(DecisionRecord record)
    {
        if (record is { Claim: { } claim, Hints: { } hints } && claim.Path.Name.EndsWith(NameSuffix, StringComparison.Ordinal))
        {
            _state.Write(() => _state.Database.Execute(
                "INSERT OR REPLACE INTO debug_archive (file, digest, expires_at) VALUES ($file, $digest, $expires)",
                hints.FileHash.Digits, claim.Path.Digest.ToString(), record.ExpiresAt.ToUnixTimeMilliseconds()));
        }
    }

    /// <summary>Returns the digest of the path with a file; null when none is known, or the disk cannot be read.</summary>
    /// <param name="fileHash">SHA-256 of the compressed NAR.</param>
    public StorePathDigest? Find(NixHash fileHash)
    {
        string? text = null;
        DiskRefusal.Of(() => text = _state.Database.First(
            "SELECT digest FROM debug_archive WHERE file = $file", row => row.Text(0), fileHash.Digits));
        return StorePathDigest.TryParse(text, out var digest) ? digest : null;
    }

    /// <summary>Deletes what has expired.</summary>
    public void Prune(DateTimeOffset now) => _state.Write(() => _state.Database.Execute(
        "DELETE FROM debug_archive WHERE expires_at < $now", now.ToUnixTimeMilliseconds()));
}
