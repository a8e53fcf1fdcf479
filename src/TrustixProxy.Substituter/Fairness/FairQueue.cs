namespace TrustixProxy.Substituter.Fairness;

/// <summary>Shares a limited number of places between requesters: in turn, and at most a share to each.</summary>
/// <remarks>
/// <code>
/// one with 8,000 items ─┐
/// one with 10 ──────────┼─ one of each in turn ──▶ places; who holds a whole share waits for one of its own
/// one with 300 ─────────┘
/// </code>
/// Not safe for concurrent use.</remarks>
/// <param name="most">Number of places.</param>
/// <param name="share">Maximum places of one requester.</param>
internal sealed class FairQueue<T>(int most, int share)
{
    private readonly Dictionary<Requester, Line> _lines = [];
    private readonly LinkedList<Line> _turns = new(); // lines in which something waits, the next one first

    /// <summary>Places taken.</summary>
    public int Taken { get; private set; }

    /// <summary>Items that wait.</summary>
    public int Waiting { get; private set; }

    /// <summary>The last item of the longest line; null when nothing waits.</summary>
    public Place? LastOfLongest => _turns.MaxBy(line => line.Waiting.Count)?.Waiting.Last?.Value;

    /// <summary>Puts an item at the end of a requester's line.</summary>
    public Place Add(Requester requester, T item)
    {
        if (!_lines.TryGetValue(requester, out var line))
        {
            _lines.Add(requester, line = new Line(requester));
        }

        if (line.Waiting.Count is 0)
        {
            _turns.AddLast(line.Turn);
        }

        var place = new Place(line, item);
        line.Waiting.AddLast(place.Node);
        Waiting++;
        return place;
    }

    /// <summary>Takes a place for the next item; null when none may be taken now.</summary>
    public Place? Take()
    {
        var line = Taken < most ? _turns.FirstOrDefault(next => next.Taken < share) : null;
        if (line is null)
        {
            return null;
        }

        var place = line.Waiting.First!.Value;
        line.Taken++;
        Taken++;
        Remove(place);
        if (line.Waiting.Count > 0)
        {
            _turns.Remove(line.Turn);
            _turns.AddLast(line.Turn);
        }

        return place;
    }

    /// <summary>Gives a place back.</summary>
    public void Return(Place place)
    {
        place.Line.Taken--;
        Taken--;
        Forget(place.Line);
    }

    /// <summary>Removes an item that waits; does nothing for another.</summary>
    public void Remove(Place place)
    {
        if (place.Node.List is null)
        {
            return;
        }

        place.Line.Waiting.Remove(place.Node);
        Waiting--;
        if (place.Line.Waiting.Count is 0)
        {
            _turns.Remove(place.Line.Turn);
        }

        Forget(place.Line);
    }

    private void Forget(Line line)
    {
        if (line is { Taken: 0, Waiting.Count: 0 })
        {
            _lines.Remove(line.Requester);
        }
    }

    /// <summary>An item's place: in its requester's line, then among those taken.</summary>
    internal sealed class Place
    {
        public Place(Line line, T item) => (Line, Item, Node) = (line, item, new LinkedListNode<Place>(this));

        public T Item { get; }

        public Requester Requester => Line.Requester;

        internal Line Line { get; }

        internal LinkedListNode<Place> Node { get; }
    }

    /// <summary>What one requester waits for and holds.</summary>
    internal sealed class Line
    {
        public Line(Requester requester) => (Requester, Turn) = (requester, new LinkedListNode<Line>(this));

        public Requester Requester { get; }

        public LinkedListNode<Line> Turn { get; }

        public LinkedList<Place> Waiting { get; } = new();

        public int Taken { get; set; }
    }
}
