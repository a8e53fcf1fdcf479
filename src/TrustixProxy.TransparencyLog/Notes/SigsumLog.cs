using TrustixProxy.Native;

namespace TrustixProxy.TransparencyLog.Notes;

/// <summary>The name of a log of Sigsum, which follows from its key.</summary>
public static class SigsumLog
{
    /// <summary>What begins our name of a witness that a policy knows only by its key. No note has a signature under it.</summary>
    internal const string Witness = "sigsum.org/witness/";

    /// <summary>Returns the key under which the log signs checkpoints.</summary>
    public static VerifierKey KeyOf(Ed25519PublicKey key) => VerifierKey.OfLog(OriginOf(Digest.Of(key.Bytes)), new LogKey(key));

    /// <summary>Returns the log's origin.</summary>
    /// <param name="keyHash">SHA-256 of its key.</param>
    internal static string OriginOf(Digest keyHash) => $"sigsum.org/v1/tree/{keyHash}";
}
