using System.Buffers;
using System.Text;
using TrustixProxy.IO.Streams;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Auditing;

/// <summary>Searches a NAR for the digests of its references while it is read, as Nix does after a build.</summary>
/// <param name="nar">The decompressed NAR; disposed with this stream.</param>
/// <param name="references">The references to find.</param>
internal sealed class ReferenceScan(Stream nar, IEnumerable<StorePath> references) : ReadOnlyStream
{
    private static readonly SearchValues<byte> Digits = SearchValues.Create(
        [.. Enumerable.Range(0, 128).Where(c => Nix32.Characters.Contains((char)c)).Select(c => (byte)c)]);

    private readonly Dictionary<string, StorePath> _missing =
        references.DistinctBy(path => path.Digest).ToDictionary(path => path.Digest.ToString());

    private byte[] _rest = [];

    /// <summary>The references not found so far.</summary>
    public IEnumerable<StorePath> Missing => _missing.Values.Order();

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = await nar.ReadAsync(buffer, cancellationToken);
        if (read > 0 && _missing.Count > 0)
        {
            Search([.. _rest, .. buffer.Span[..read]]);
        }

        return read;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            nar.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>Looks at each run of digits; what may be the beginning of a digest is kept for the next call.</summary>
    private void Search(ReadOnlySpan<byte> bytes)
    {
        _rest = bytes[^Math.Min(bytes.Length, StorePathDigest.Length - 1)..].ToArray();
        while (bytes.IndexOfAny(Digits) is var start and >= 0)
        {
            bytes = bytes[start..];
            var length = bytes.IndexOfAnyExcept(Digits) is var end and >= 0 ? end : bytes.Length;
            if (length >= StorePathDigest.Length)
            {
                SearchRun(Encoding.ASCII.GetString(bytes[..length]));
            }

            bytes = bytes[length..];
        }
    }

    private void SearchRun(ReadOnlySpan<char> digits)
    {
        var missing = _missing.GetAlternateLookup<ReadOnlySpan<char>>();
        for (var at = 0; at + StorePathDigest.Length <= digits.Length; at++)
        {
            missing.Remove(digits.Slice(at, StorePathDigest.Length));
        }
    }
}
