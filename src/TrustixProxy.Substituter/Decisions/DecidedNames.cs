using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>The paths that were decided on last, to find one by a part of its name. Memory is bounded.</summary>
internal sealed class DecidedNames
{
    /// <summary>Maximum number of paths.</summary>
    public const int Most = 20_000;

    private readonly Lock _turn = new();
    private readonly Dictionary<StorePath, LinkedListNode<StorePath>> _known = [];
    private readonly LinkedList<StorePath> _order = new(); // the newest first

    /// <summary>Number of paths.</summary>
    public int Count
    {
        get
        {
            lock (_turn)
            {
                return _known.Count;
            }
        }
    }

    /// <summary>Adds a path as the newest.</summary>
    public void Add(StorePath path)
    {
        lock (_turn)
        {
            if (_known.Remove(path, out var node))
            {
                _order.Remove(node);
            }

            _known[path] = _order.AddFirst(path);
            if (_known.Count > Most)
            {
                _known.Remove(_order.Last!.Value);
                _order.RemoveLast();
            }
        }
    }

    /// <summary>Adds a path of an earlier process as the oldest; one that is known stays where it is.</summary>
    public void Restore(StorePath path)
    {
        lock (_turn)
        {
            if (_known.Count < Most && !_known.ContainsKey(path))
            {
                _known[path] = _order.AddLast(path);
            }
        }
    }

    /// <summary>Finds paths by a part of their name or digest: whose name begins with it first, then the newest.</summary>
    /// <param name="most">Maximum number.</param>
    public IReadOnlyList<StorePath> Find(string text, int most)
    {
        lock (_turn)
        {
            return
            [
                .. _order.Where(path => path.ToString().Contains(text, StringComparison.OrdinalIgnoreCase))
                    .OrderByDescending(path => path.Name.StartsWith(text, StringComparison.OrdinalIgnoreCase)).Take(most),
            ];
        }
    }
}
