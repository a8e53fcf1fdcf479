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

    /// <summary>Merges lists, and orders them: most roots, then most requests, then by path.</summary>
    public static IReadOnlyList<WantedPath> Merge(IEnumerable<WantedPath> wanted) =>
        [.. wanted.GroupBy(item => item.Path)
            .Select(group => new WantedPath(group.Key, group.Sum(item => item.Requests), group.Max(item => item.Roots),
                [.. group.SelectMany(item => item.Derivers).Distinct()]))
            .OrderByDescending(item => item.Roots).ThenByDescending(item => item.Requests).ThenBy(item => item.Path)];

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
