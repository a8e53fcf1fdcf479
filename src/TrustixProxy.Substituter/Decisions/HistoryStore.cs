using TrustixProxy.IO.Metering;
using TrustixProxy.IO.Storage;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Keeps what charts show in state.sqlite. No decision depends on it.</summary>
internal sealed class HistoryStore
{
    private readonly StateWriter _state;

    public HistoryStore(StateWriter state)
    {
        _state = state;
        state.Database.Ensure("""
            CREATE TABLE IF NOT EXISTS history (
                series TEXT NOT NULL, span INTEGER NOT NULL, word TEXT NOT NULL, count INTEGER NOT NULL,
                PRIMARY KEY (series, span, word)) WITHOUT ROWID;
            """);
    }

    /// <summary>Reads the rows of a series.</summary>
    public IReadOnlyList<CountRow> Read(string series) => _state.Database.All(
        "SELECT span, word, count FROM history WHERE series = $series",
        row => new CountRow(row.Number(0), row.Text(1), row.Number(2)), series);

    /// <summary>Writes rows in place of those of the same series, spans and words, and deletes older ones than are shown.</summary>
    public void Write(IReadOnlyList<(string Series, IReadOnlyList<CountRow> Rows)> all) => _state.Write(() =>
    {
        foreach (var (series, rows) in all)
        {
            foreach (var row in rows)
            {
                _state.Database.Execute(
                    "INSERT OR REPLACE INTO history (series, span, word, count) VALUES ($series, $span, $word, $count)",
                    series, row.Span, row.Word, row.Count);
            }
        }

        var newest = all.SelectMany(item => item.Rows).Select(row => row.Span).DefaultIfEmpty().Max();
        _state.Database.Execute("DELETE FROM history WHERE span <= $span", newest - AnswerHistory.Spans);
    });
}
