using System.Text.Json;
using TrustixProxy.Consensus;

namespace TrustixProxy.Substituter.Wanted;

/// <summary>A path on the work list.</summary>
/// <param name="StorePath">The absolute path.</param>
/// <param name="Requests">Number of client addresses that asked for it; an estimate from 64 on.</param>
/// <param name="Roots">Number of roots that it held back in the last report of <c>doctor</c>.</param>
/// <param name="Reason"><c>votes</c>, <c>second-opinion</c> or <c>tie-break</c>.</param>
/// <param name="Missing">Electors without a vote.</param>
/// <param name="Derivers">Derivations that upstreams name: untrusted hints.</param>
public sealed record WantedEntry(
    string StorePath, int Requests, int Roots, string Reason, IReadOnlyList<string> Missing, IReadOnlyList<string> Derivers);

/// <summary>The work list: undecided paths that clients asked for, the most useful first.</summary>
public sealed record WantedList(IReadOnlyList<WantedEntry> Wanted)
{
    internal static WantedList Of(WantedTable table, PrivateNames names) => new([.. table.Rows
        .Select(row => (Wanted: names.Show(row.Wanted), Requests: row.Clients.Count))
        .Where(row => row.Wanted is not null)
        .Select(row => new WantedEntry(
            row.Wanted!.Path.Absolute, row.Requests, 0, Kebab.Of(row.Wanted.Reason), row.Wanted.Missing,
            [.. row.Wanted.Derivers.Select(deriver => deriver.Absolute)]))]);

    /// <summary>Returns the list with the roots that each path holds back, best first.</summary>
    /// <param name="rootsOf">Roots by absolute path.</param>
    public WantedList With(IReadOnlyDictionary<string, int> rootsOf) => new([.. Wanted
        .Select(entry => entry with { Roots = rootsOf.GetValueOrDefault(entry.StorePath) })
        .OrderByDescending(entry => entry.Roots).ThenByDescending(entry => entry.Requests)
        .ThenBy(entry => entry.StorePath, StringComparer.Ordinal)]);

    internal byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, WantedJson.Default.WantedList);
}
