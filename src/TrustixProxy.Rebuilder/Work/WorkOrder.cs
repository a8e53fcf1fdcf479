using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using TrustixProxy.Nix;

namespace TrustixProxy.Rebuilder.Work;

/// <summary>In which order a rebuilder works on the lists of its proxies.</summary>
public static class WorkOrder
{
    /// <summary>Number of the best paths that rebuilders begin at.</summary>
    internal const int Window = 64;

    /// <summary>Orders one list: most roots, then most requests, then by path.</summary>
    public static IReadOnlyList<WantedPath> Order(IEnumerable<WantedPath> wanted) =>
        [.. wanted.DistinctBy(item => item.Path)
            .OrderByDescending(item => item.Roots).ThenByDescending(item => item.Requests).ThenBy(item => item.Path)];

    /// <summary>Takes from the lists in turns, one path from each, so that none gets more than its share, whatever it claims. A path in
    /// several lists comes once, with the derivers that all of them name.</summary>
    /// <param name="lists">What can be done now of each list, best first.</param>
    public static IReadOnlyList<WantedPath> Share(IReadOnlyList<IReadOnlyList<WantedPath>> lists)
    {
        var derivers = lists.SelectMany(list => list).ToLookup(item => item.Path, item => item.Derivers);
        var (shared, taken, next) = (new List<WantedPath>(), new HashSet<StorePath>(), new int[lists.Count]);
        var isLeft = true;
        while (isLeft)
        {
            isLeft = false;
            for (var i = 0; i < lists.Count; i++)
            {
                while (next[i] < lists[i].Count && taken.Contains(lists[i][next[i]].Path))
                {
                    next[i]++;
                }

                if (next[i] < lists[i].Count)
                {
                    var item = lists[i][next[i]];
                    taken.Add(item.Path);
                    shared.Add(item with { Derivers = [.. derivers[item.Path].SelectMany(named => named).Distinct()] });
                    isLeft = true;
                }
            }
        }

        return shared;
    }

    /// <summary>Starts a list at an offset that its turn gives: as many turns in a row as it has paths begin at different ones.</summary>
    /// <remarks>Only the best <see cref="Window"/> paths are turned: the others wait in any case.</remarks>
    /// <param name="turn">The turn that the proxy gave to this request; not negative.</param>
    public static IReadOnlyList<WantedPath> Turn(IReadOnlyList<WantedPath> ordered, long turn)
    {
        var window = Math.Min(Window, ordered.Count);
        var offset = window is 0 ? 0 : (int)(turn % window * StepIn(window) % window);
        return [.. ordered.Take(window).Skip(offset), .. ordered.Take(offset), .. ordered.Skip(window)];
    }

    /// <summary>The turn of a rebuilder in lists that give none.</summary>
    /// <param name="identity">Tells it from others.</param>
    public static long TurnOf(string identity) => BitConverter.ToUInt32(SHA256.HashData(Encoding.UTF8.GetBytes(identity)));

    /// <summary>A distance without a common divisor with the window. It is near the golden section, so that following turns begin far
    /// apart.</summary>
    private static int StepIn(int window)
    {
        var step = Math.Max(1, (int)(window * 0.618));
        while (BigInteger.GreatestCommonDivisor(step, window) > 1)
        {
            step--;
        }

        return step;
    }
}
