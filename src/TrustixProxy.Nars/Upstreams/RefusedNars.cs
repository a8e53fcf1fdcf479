using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>An upstream sent another NAR than its narinfo names.</summary>
/// <param name="Upstream">Its name.</param>
/// <param name="Path">The store path.</param>
/// <param name="Fault">What was wrong, in one word: <c>nar-hash</c>, <c>too-long</c>.</param>
/// <param name="Agreed">The NAR hash that was agreed on, and that the narinfo names.</param>
/// <param name="Sent">The hash of what it sent; null where that was not read to its end.</param>
/// <param name="At">When it did so last.</param>
/// <param name="Times">How often, since this proxy runs.</param>
public sealed record RefusedNar(string Upstream, string Path, string Fault, string Agreed, string? Sent, DateTimeOffset At, long Times)
{
    /// <inheritdoc/>
    public override string ToString() =>
        $"upstream {Upstream} sent another NAR than it names for {StorePath.StoreDirectory}/{Path} ({Fault}), {Times:N0} times, last "
            + $"{At.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}: "
        + $"{Agreed} was agreed on, it sent {Sent ?? "something that was not read to its end"}";
}

/// <summary>The latest NARs that upstreams sent in the place of those that they name, each upstream and path once. In bounded
/// memory.</summary>
/// <param name="time">The clock.</param>
public sealed class RefusedNars(TimeProvider time)
{
    /// <summary>How many are kept.</summary>
    public const int Most = 100;

    private readonly Lock _turn = new();
    private readonly LinkedList<RefusedNar> _latest = new(); // the newest first

    /// <summary>All of them, the newest first.</summary>
    public IReadOnlyList<RefusedNar> List()
    {
        lock (_turn)
        {
            return [.. _latest];
        }
    }

    /// <summary>Keeps one, if the fault says that its content is another.</summary>
    /// <param name="upstream">Whose.</param>
    /// <param name="claim">What was agreed on.</param>
    /// <param name="fault">What was wrong.</param>
    /// <param name="sent">The hash of what came; null where that is not known.</param>
    public void Add(string upstream, OutputClaim claim, NarFault fault, NixHash? sent)
    {
        if (fault is NarFault.Unreachable or NarFault.Gone or NarFault.BrokenOff or NarFault.FileHash)
        {
            return;
        }

        var path = claim.Path.ToString();
        lock (_turn)
        {
            var before = _latest.FirstOrDefault(known => known.Upstream == upstream && known.Path == path);
            if (before is not null)
            {
                _latest.Remove(before);
            }

            _latest.AddFirst(new RefusedNar(
                upstream, path, Kebab.Of(fault), $"{claim.NarHash}", sent?.ToString(), time.GetUtcNow(), (before?.Times ?? 0) + 1));
            if (_latest.Count > Most)
            {
                _latest.RemoveLast();
            }
        }
    }
}
