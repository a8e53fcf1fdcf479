using System.Security.Cryptography;
using System.Text;
using TrustixProxy.Nix;

namespace TrustixProxy.Rebuilder.Work;

/// <summary>In which order a rebuilder works on the lists of its proxies.</summary>
public static class WorkOrder
{
    /// <summary>How many of the best paths are shared out by identity.</summary>
    internal const int Window = 64;

    /// <summary>Merges lists, and orders them: most roots, then most requests, then by path.</summary>
    public static IReadOnlyList<WantedPath> Merge(IEnumerable<WantedPath> wanted) =>
        [.. wanted.GroupBy(item => item.Path)
            .Select(group => new WantedPath(group.Key, group.Sum(item => item.Requests), group.Max(item => item.Roots),
                [.. group.SelectMany(item => item.Derivers).Distinct()]))
            .OrderByDescending(item => item.Roots).ThenByDescending(item => item.Requests).ThenBy(item => item.Path)];

    /// <summary>Starts at an offset that the rebuilder's identity gives, so that rebuilders of one list begin at different paths.</summary>
    /// <remarks>Only the best <see cref="Window"/> paths are turned: the others wait in any case.</remarks>
    public static IReadOnlyList<WantedPath> Turn(IReadOnlyList<WantedPath> ordered, string identity)
    {
        var window = Math.Min(Window, ordered.Count);
        var offset = window is 0 ? 0 : (int)(BitConverter.ToUInt32(SHA256.HashData(Encoding.UTF8.GetBytes(identity))) % (uint)window);
        return [.. ordered.Take(window).Skip(offset), .. ordered.Take(offset), .. ordered.Skip(window)];
    }
}
