using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace TrustixProxy.TransparencyLog.Notes;

/// <summary>A witness's statement: at this time, the largest consistent tree that it has seen of the origin has this root.</summary>
/// <remarks>
/// <code>
/// cosignature/v1
/// time 1795880236
/// log.alice.example/nix
/// 700
/// 9Zy6CYsNGF/vHUDpgGLejnEWtz4MfGnr7EXN8HmfCOA=
/// </code>
/// The signature is the time as 8 bytes, most significant first, and Ed25519 over this text. Source: C2SP tlog-cosignature
/// v1.0.1.</remarks>
public static class Cosignature
{
    /// <summary>Length of the time in front of a cosignature, in bytes.</summary>
    public const int TimeSize = 8;

    /// <summary>Last second that a <see cref="DateTimeOffset"/> can hold; later times count as this one.</summary>
    private static readonly long LastSecond = DateTimeOffset.MaxValue.ToUnixTimeSeconds();

    /// <summary>Returns the text that a witness signs.</summary>
    /// <param name="checkpoint">The checkpoint's text.</param>
    /// <param name="time">The time, in seconds since 1970.</param>
    public static byte[] SigningText(string checkpoint, long time) =>
        Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"cosignature/v1\ntime {time}\n{checkpoint}"));

    /// <summary>Checks a witness's cosignatures on a checkpoint.</summary>
    /// <param name="note">The checkpoint.</param>
    /// <param name="witness">The witness's key.</param>
    /// <param name="newest">The time of the newest.</param>
    public static SignatureCheck Check(SignedNote note, VerifierKey witness, out DateTimeOffset newest) =>
        CheckAll(note.Text, note.Signatures.Where(signature => signature.IsOf(witness)).Select(signature => signature.Bytes), witness,
            out newest);

    /// <summary>Checks signatures that are said to be one witness's.</summary>
    internal static SignatureCheck CheckAll(
        string checkpoint, IEnumerable<ReadOnlyMemory<byte>> signatures, VerifierKey witness, out DateTimeOffset newest)
    {
        newest = default;
        var check = SignatureCheck.Missing;
        foreach (var signature in signatures)
        {
            if (!TryVerify(checkpoint, signature.Span, witness, out var time))
            {
                return SignatureCheck.Invalid;
            }

            (check, newest) = (SignatureCheck.Valid, check is SignatureCheck.Valid && newest > time ? newest : time);
        }

        return check;
    }

    /// <summary>Returns a witness's newest cosignature of a checkpoint whose check was <see cref="SignatureCheck.Valid"/>; null when there
    /// is none.</summary>
    public static NoteSignature? Newest(SignedNote note, VerifierKey witness) => note.Signatures.Where(signature => signature.IsOf(witness))
        .MaxBy(signature => BinaryPrimitives.ReadUInt64BigEndian(signature.Bytes.Span)); // begins with the time

    private static bool TryVerify(string checkpoint, ReadOnlySpan<byte> signature, VerifierKey witness, out DateTimeOffset time)
    {
        time = default;
        if (witness.Algorithm is not NoteAlgorithm.Cosignature || signature.Length < TimeSize
            || !WireNumber.TryRead(BinaryPrimitives.ReadUInt64BigEndian(signature), out var seconds)
            || !witness.Verify(SigningText(checkpoint, seconds), signature[TimeSize..]))
        {
            return false;
        }

        time = seconds > LastSecond ? DateTimeOffset.MaxValue : DateTimeOffset.FromUnixTimeSeconds(seconds);
        return true;
    }
}
