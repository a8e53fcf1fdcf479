using TrustixProxy.Native;

namespace TrustixProxy.TransparencyLog.Notes;

/// <summary>Reads the keys of a policy: verifier keys, or Sigsum's 64 hexadecimal digits.</summary>
internal static class PolicyKey
{
    /// <summary>Reads a key for a log or a witness; returns what is wrong with it and what to do, or null.</summary>
    /// <param name="text">The key.</param>
    /// <param name="use"><see cref="NoteAlgorithm.Ed25519"/> for a log's, else a witness's.</param>
    /// <param name="key">The key.</param>
    public static (string Problem, string Remedy)? Read(string text, NoteAlgorithm use, out VerifierKey? key)
    {
        var error = VerifierKeyError.None;
        if (!TryReadHex(text, use, out key) && !VerifierKey.TryParse(text, out key, out error))
        {
            return ($"'{Shown(text)}' is not a verifier key ({error})", error switch
            {
                VerifierKeyError.KeyId => "the name or the key was changed: copy the whole key again",
                VerifierKeyError.WeakKey => "anyone can sign for such a key: ask its owner for another",
                VerifierKeyError.Algorithm => "only Ed25519 is verified: give a key of type 01 for a log, or 04 for a witness",
                _ => "copy it whole; it looks like NAME+8 hexadecimal digits+base64",
            });
        }

        var isLog = key.Algorithm is NoteAlgorithm.Ed25519;
        return isLog == (use is NoteAlgorithm.Ed25519) ? null
            : ($"the key of '{Shown(key.Name)}' is of type {(int)key.Algorithm:x2}", isLog
                ? "give the witness's cosigning key, of type 04 (Ed25519)" : "give the log's own key, of type 01 (Ed25519)");
    }

    /// <summary>Returns a word for a message, at most 60 characters of it.</summary>
    public static string Shown(string word) => word.Length > 60 ? $"{word[..60]}…" : word;

    private static bool TryReadHex(string text, NoteAlgorithm use, [NotNullWhen(true)] out VerifierKey? key)
    {
        key = null;
        var bytes = new byte[Ed25519PublicKey.Size];
        if (NoteText.TryReadHex(text, bytes) && Ed25519PublicKey.TryImport(bytes, out var imported, out _))
        {
            key = use is NoteAlgorithm.Ed25519 ? SigsumLog.KeyOf(imported)
                : VerifierKey.OfWitness(SigsumLog.Witness + Digest.Of(bytes), imported);
        }

        return key is not null;
    }
}
