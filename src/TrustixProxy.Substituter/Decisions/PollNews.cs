using TrustixProxy.Logs.Watching;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>What was known when a poll began: another value means that a new poll could end otherwise.</summary>
/// <param name="Sources">Changes with each log's new head, and with each upstream that goes down or comes back.</param>
/// <param name="Returns">How often upstreams came back after they were away or of no use.</param>
internal readonly record struct NewsMark(long Sources, long Returns);

/// <summary>Tells whether a new poll could end otherwise than the last.</summary>
internal abstract class News
{
    /// <summary>The value now.</summary>
    public abstract NewsMark Value { get; }
}

/// <summary>News from logs and upstreams: a new head, an upstream that goes down or comes back.</summary>
internal sealed class PollNews(IReadOnlyList<WatchedLog> logs, IReadOnlyList<Upstream> upstreams) : News
{
    public override NewsMark Value
    {
        get
        {
            var news = new HashCode();
            foreach (var log in logs)
            {
                news.Add(log.Head?.Content.TreeSize);
            }

            foreach (var upstream in upstreams)
            {
                news.Add(upstream.IsDown);
            }

            return new NewsMark(news.ToHashCode(), upstreams.Sum(upstream => upstream.Health.Returns));
        }
    }
}
