using TrustixProxy.LogNode.Storage;

namespace TrustixProxy.LogNode.Archive;

/// <summary>Checks that the index leads to every entry that it should, and has no other rows.</summary>
/// <remarks>Adds up a number made of each row, over the entries and over the index: a reading of each from its beginning to its end. Only
/// where the sums differ is each row looked up. Chance damage leaves no sum of 128 bits as it was.</remarks>
internal sealed class IndexCheck(LogReader reader)
{
    private const int Telling = 1 << 16;

    /// <summary>Returns the faults.</summary>
    /// <param name="most">Maximum number of them.</param>
    /// <param name="progress">Receives the share that is checked.</param>
    public IEnumerable<string> Run(int most, Action<double> progress)
    {
        var (filed, indexed) = (reader.FiledSize(), reader.IndexedSize());
        var first = reader.Runs().Select(run => run.First).DefaultIfEmpty(indexed).Min();
        var (inTable, inRuns, isWhole) = (UInt128.Zero, UInt128.Zero, true);
        foreach (var (index, entry) in reader.AllEntries(0, indexed))
        {
            var sum = EntryIndex.PrefixesOf(entry).Aggregate(UInt128.Zero, (sum, prefix) => Add(sum, new IndexRow(prefix, index)));
            inTable = index < filed ? unchecked(inTable + sum) : inTable;
            inRuns = index >= first ? unchecked(inRuns + sum) : inRuns;
            isWhole &= index < filed || index >= first;
            if (index % Telling is 0)
            {
                progress((double)index / indexed);
            }
        }

        // what the table has of later entries was not finished: they are in a run, too
        var isRight = isWhole && inTable == reader.AllFiled().Where(row => row.Index < filed).Aggregate(UInt128.Zero, Add)
            && inRuns == reader.AllInRuns().Aggregate(UInt128.Zero, Add);
        return isRight ? [] : Faults(indexed).Take(most);
    }

    private IEnumerable<string> Faults(long indexed)
    {
        var isMissing = false;
        foreach (var (index, entry) in reader.AllEntries(0, indexed))
        {
            if (EntryIndex.PrefixesOf(entry).Any(prefix => !reader.FindFiled(prefix).Contains(index)))
            {
                isMissing = true;
                yield return $"entry {index} is not indexed under its lookup digests";
            }
        }

        if (!isMissing)
        {
            yield return "the index has rows that no entry has";
        }
    }

    private static UInt128 Add(UInt128 sum, IndexRow row)
    {
        unchecked
        {
            var (low, high) = (Mix((ulong)row.Prefix), Mix((ulong)row.Index ^ 0x9e3779b97f4a7c15));
            return sum + new UInt128(Mix(low + (3 * high)), Mix(high ^ low));
        }
    }

    /// <summary>Mixes bits, as the generator SplitMix64 does.</summary>
    private static ulong Mix(ulong bits)
    {
        unchecked
        {
            bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
            bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
            return bits ^ (bits >> 31);
        }
    }
}
