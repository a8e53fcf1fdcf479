using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Storage;

/// <summary>Somebody who submitted a value.</summary>
/// <param name="Writer">Name of the write token; null where it is unknown: after an import, or from an earlier version.</param>
/// <param name="Since">Milliseconds since 1970.</param>
public sealed record ValueWriter(string? Writer, long Since);

/// <summary>A value that was submitted for a key which the log held with another one.</summary>
/// <param name="Writers">Who submitted it, the first one first; never empty.</param>
public sealed record OtherValue(Conflict Conflict, IReadOnlyList<ValueWriter> Writers);

/// <summary>A key for which different values were submitted.</summary>
/// <param name="Index">Index of its entry.</param>
/// <param name="Value">The value that the log holds.</param>
/// <param name="Writers">Who submitted that, the first one first; never empty.</param>
/// <param name="Others">The other values, as they came.</param>
public sealed record DisputedKey(
    ReadOnlyMemory<byte> Key, long Index, ReadOnlyMemory<byte> Value, IReadOnlyList<ValueWriter> Writers, IReadOnlyList<OtherValue> Others);

/// <summary>Reads who says what about keys for which different values were submitted.</summary>
internal static class DisputedKeys
{
    /// <summary>Reads keys whose entries come after <paramref name="after"/>, by index.</summary>
    public static List<DisputedKey> Read(LogReader reader, long after, int most)
    {
        var isRecorded = reader.Stream("SELECT 1 FROM sqlite_schema WHERE name = 'said'", _ => true).Any(); // not by an earlier version
        var indices = reader.Stream(
            $"SELECT DISTINCT idx FROM conflict JOIN entry USING (idx) WHERE idx > {after} ORDER BY idx LIMIT {most}",
            row => row.Number(0)).ToList();
        return [.. indices.Select(index => Read(reader, index, isRecorded))];
    }

    private static DisputedKey Read(LogReader reader, long index, bool isRecorded)
    {
        var entry = reader.FindEntry(index)!;
        var first = !isRecorded ? null : reader.Stream(
            $"SELECT writer, first FROM wrote WHERE last >= {index} ORDER BY last LIMIT 1",
            row => row.Number(1) <= index ? row.Text(0) : null).FirstOrDefault();
        var said = (!isRecorded ? [] : reader.Stream(
            $"SELECT digest, writer, seen_at FROM said WHERE idx = {index} ORDER BY seen_at, writer",
            row => (Digest: new Digest(row.Span(0)), Writer: new ValueWriter(row.Text(1), row.Number(2))))).ToLookup(
                item => item.Digest, item => item.Writer);
        return new DisputedKey(
            entry.Key, index, entry.Value,
            [new ValueWriter(first, SignedAt(reader, index)), .. said[entry.ValueDigest].Where(writer => writer.Writer != first)],
            [.. reader.FindConflictsOf(index).Select(conflict => new OtherValue(
                conflict, WritersOf(WireNumber.OfOurs(conflict.SeenAt), [.. said[Digest.Of(conflict.OtherValue.Span)]])))]);
    }

    /// <summary>Adds the first writer where only later ones are recorded.</summary>
    private static IReadOnlyList<ValueWriter> WritersOf(long seenAt, IReadOnlyList<ValueWriter> said) =>
        said.Any(writer => writer.Since <= seenAt) ? said : [new ValueWriter(null, seenAt), .. said];

    /// <summary>Returns when the first head over an entry was signed: heads are numbered from 1, and grow.</summary>
    private static long SignedAt(LogReader reader, long index)
    {
        var (low, high, found) = (0L, WireNumber.OfOurs(reader.NewestHead().MHTreeSize), 0L);
        while (low < high)
        {
            var middle = low + ((high - low) / 2);
            var head = reader.HeadsBetween(middle, middle + 1).First();
            (low, high, found) = WireNumber.OfOurs(head.Message.TreeSize) > index
                ? (low, middle, head.SignedAt) : (middle + 1, high, found);
        }

        return found;
    }
}
