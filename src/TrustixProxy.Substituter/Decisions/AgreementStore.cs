using TrustixProxy.IO.Storage;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Rates of a pair in a span of time, numbered since 1970.</summary>
internal readonly record struct AgreementRow(long Span, ElectorPair Pair, AgreementRate Rate);

/// <summary>Keeps rates of agreement in state.sqlite.</summary>
internal sealed class AgreementStore
{
    private readonly StateWriter _state;

    public AgreementStore(StateWriter state)
    {
        _state = state;
        state.Database.Ensure("""
            CREATE TABLE IF NOT EXISTS agreement (
                span INTEGER NOT NULL, one TEXT NOT NULL, other TEXT NOT NULL, same INTEGER NOT NULL, paths INTEGER NOT NULL,
                PRIMARY KEY (span, one, other)) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS agreement_counted (hash INTEGER PRIMARY KEY, span INTEGER NOT NULL);
            """);
    }

    /// <summary>Reads all rows; those that are no rates are left out.</summary>
    public IReadOnlyList<AgreementRow> Read() =>
    [
        .. _state.Database.All("SELECT span, one, other, same, paths FROM agreement", row => (
            Span: row.Number(0), Pair: new ElectorPair(row.Text(1), row.Text(2)), Same: row.Number(3), All: row.Number(4)))
            .Where(row => row.Same >= 0 && row.Same <= row.All && row.All is > 0 and <= int.MaxValue)
            .Select(row => new AgreementRow(row.Span, row.Pair, new AgreementRate((int)row.Same, (int)row.All))),
    ];

    /// <summary>Reads which pairs of claims the rows consist of.</summary>
    public IReadOnlyList<CountedPair> ReadCounted() => [.. _state.Database.All(
        "SELECT hash, span FROM agreement_counted ORDER BY span DESC", row => new CountedPair(row.Number(0), row.Number(1)))];

    /// <summary>Writes rows in place of those of the same spans and pairs, with what they consist of, and deletes older ones.</summary>
    /// <param name="oldest">The oldest span that is kept.</param>
    public void Write(IReadOnlyList<AgreementRow> rows, IReadOnlyList<CountedPair> counted, long oldest) => _state.Write(() =>
    {
        foreach (var pair in counted)
        {
            _state.Database.Execute("INSERT OR REPLACE INTO agreement_counted (hash, span) VALUES ($hash, $span)", pair.Hash, pair.Span);
        }

        foreach (var row in rows)
        {
            _state.Database.Execute("""
                INSERT INTO agreement (span, one, other, same, paths) VALUES ($span, $one, $other, $same, $paths)
                ON CONFLICT (span, one, other) DO UPDATE SET same = excluded.same, paths = excluded.paths
                """, row.Span, row.Pair.One, row.Pair.Other, row.Rate.Same, row.Rate.All);
        }

        _state.Database.Execute("DELETE FROM agreement WHERE span < $oldest", oldest);
        _state.Database.Execute("DELETE FROM agreement_counted WHERE span < $oldest", oldest);
    });
}
