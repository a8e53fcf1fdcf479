using TrustixProxy.Logs.Watching;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Tells whether a new poll could end otherwise than the last.</summary>
internal abstract class News
{
    /// <summary>A value that changes with each piece of news.</summary>
    public abstract long Value { get; }
}

/// <summary>News from logs and upstreams: a new head, an upstream that goes down or comes back.</summary>
internal sealed class PollNews(IReadOnlyList<WatchedLog> logs, IReadOnlyList<Upstream> upstreams) : News
{
    public override long Value
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

            return news.ToHashCode();
        }
    }
}
