using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace TrustixProxy.TransparencyLog;

/// <summary>A map's entry for a key: the digest of its value, and the log's leaf with both.</summary>
/// <param name="ValueDigest">SHA-256 of the submitted value.</param>
/// <param name="Index">The leaf's index in the log, from 0.</param>
/// <remarks>On the wire and under the map's leaf hash it is JSON exactly as Go's <c>json.Marshal</c> writes it:
/// <code>{"Digest":"0dlszsBZph5+R48WNN9o3eo5t51EWB5dIqz50chIs3g=","Index":0}</code></remarks>
public sealed record MapEntry(Digest ValueDigest, long Index)
{
    private const int MaxSize = 100;

    /// <summary>Parses the canonical text of an entry; refuses any other form.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, [NotNullWhen(true)] out MapEntry? entry)
    {
        const int digestStart = 11, digestLength = 44, indexStart = 65;
        entry = null;
        Span<byte> digest = stackalloc byte[33];
        if (text.Length is > indexStart and <= MaxSize
            && Base64.DecodeFromUtf8(
                text.Slice(digestStart, digestLength), digest, out _, out var written) is System.Buffers.OperationStatus.Done
            && written is Digest.Size
            && Utf8Parser.TryParse(text[indexStart..^1], out long index, out _)
            && index >= 0)
        {
            var candidate = new MapEntry(new Digest(digest[..Digest.Size]), index);
            entry = text.SequenceEqual(candidate.ToBytes()) ? candidate : null;
        }

        return entry is not null;
    }

    /// <summary>Encodes the entry as its canonical text, in UTF-8.</summary>
    public byte[] ToBytes() =>
        Encoding.ASCII.GetBytes(string.Create(
            CultureInfo.InvariantCulture, $$"""{"Digest":"{{Convert.ToBase64String(ValueDigest.ToArray())}}","Index":{{Index}}}"""));
}
