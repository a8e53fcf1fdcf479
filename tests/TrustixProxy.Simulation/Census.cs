namespace TrustixProxy.Simulation;

/// <summary>Counts what has happened: decisions, outcomes, lies and what became of them.</summary>
internal sealed class Census
{
    private readonly Dictionary<(Lie Lie, string Fate), long> _lies = [];
    private readonly Dictionary<string, long> _outcomes = [];

    /// <summary>How many decisions were made.</summary>
    public long Decisions => _outcomes.Values.Sum();

    /// <summary>How many honest quorums were there to be served, and were.</summary>
    public long HonestQuorums { get; set; }

    /// <summary>How many were decided on ahead of the request as well.</summary>
    public long AskedAhead { get; set; }

    public void Count(Lie lie, string fate) => Add(_lies, (lie, fate), 1);

    public void CountOutcome(string word) => Add(_outcomes, word, 1);

    public long CountOf(Lie lie) => _lies.Where(entry => entry.Key.Lie == lie).Sum(entry => entry.Value);

    /// <summary>How often the lie was told that was told least.</summary>
    public long Rarest => LieKind.All.Keys.Min(CountOf);

    /// <summary>Takes in what another one has counted.</summary>
    public void Read(IEnumerable<string> lines)
    {
        foreach (var part in lines.Select(line => line.Split('\t')))
        {
            switch (part)
            {
                case ["lie", var lie, var fate, var count]:
                    Add(_lies, (Enum.Parse<Lie>(lie), fate), long.Parse(count, null));
                    break;
                case ["outcome", var word, var count]:
                    Add(_outcomes, word, long.Parse(count, null));
                    break;
                case ["ahead", var count]:
                    AskedAhead += long.Parse(count, null);
                    break;
                case ["honest", var count]:
                    HonestQuorums += long.Parse(count, null);
                    break;
            }
        }
    }

    /// <summary>All of it as lines, for another process.</summary>
    public IEnumerable<string> Lines() =>
    [
        .. _lies.Select(entry => $"lie\t{entry.Key.Lie}\t{entry.Key.Fate}\t{entry.Value}"),
        .. _outcomes.Select(entry => $"outcome\t{entry.Key}\t{entry.Value}"),
        $"ahead\t{AskedAhead}",
        $"honest\t{HonestQuorums}",
    ];

    /// <summary>All of it for people.</summary>
    public IEnumerable<string> Table()
    {
        yield return $"{"told by",-9} {"lie",-24} {"times",8}  what became of it";
        foreach (var kind in LieKind.All.Values)
        {
            var fates = _lies.Where(entry => entry.Key.Lie == kind.Lie).OrderByDescending(entry => entry.Value)
                .Select(entry => kind.Fate is LieKind.Harmless ? $"{entry.Key.Fate} {entry.Value}" : entry.Key.Fate);
            yield return $"{kind.By.ToString().ToLowerInvariant(),-9} {kind.Lie,-24} {CountOf(kind.Lie),8}  {string.Join(", ", fates)}";
        }

        yield return $"outcomes: "
            + $"{string.Join(", ", _outcomes.OrderByDescending(entry => entry.Value).Select(entry => $"{entry.Key} {entry.Value}"))}; "
            + $"honest quorums, all served: {HonestQuorums}; decided ahead as well: {AskedAhead}";
    }

    private static void Add<T>(Dictionary<T, long> counts, T key, long count)
        where T : notnull => counts[key] = counts.GetValueOrDefault(key) + count;
}
