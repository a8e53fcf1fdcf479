using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>A NAR from an upstream that differs from the one its narinfo names.</summary>
/// <param name="Fault">The fault in one word: <c>nar-hash</c>, <c>too-long</c>.</param>
/// <param name="Agreed">The NAR hash agreed on and named in the narinfo.</param>
/// <param name="Sent">The hash of the NAR received; null when it was not read to its end.</param>
/// <param name="At">Time of the last occurrence.</param>
/// <param name="Times">Number of occurrences since this proxy started.</param>
public sealed record RefusedNar(string Upstream, string Path, string Fault, string Agreed, string? Sent, DateTimeOffset At, long Times)
{
    /// <summary>The store's directory.</summary>
    public string Store { get; init; } = Nix.Store.Nix.Directory;

    /// <inheritdoc/>
    public override string ToString() =>
        $"upstream {Upstream} sent a NAR other than declared for {Store}/{Path} ({Fault}), {Times:N0} times, last "
            + $"{At.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}: "
        + $"{Agreed} was agreed on, it sent {Sent ?? "a NAR that was not read to its end"}";
}

/// <summary>Keeps the latest NARs that differed from their narinfo, one per upstream and path. Memory is bounded.</summary>
public sealed class RefusedNars(TimeProvider time)
{
    /// <summary>Maximum number kept.</summary>
    public const int Most = 100;

    private readonly Lock _turn = new();
    private readonly LinkedList<RefusedNar> _latest = new(); // newest first

    /// <summary>Lists them, newest first.</summary>
    public IReadOnlyList<RefusedNar> List()
    {
        lock (_turn)
        {
            return [.. _latest];
        }
    }

    /// <summary>Records a NAR if the fault means that its content differs.</summary>
    /// <param name="sent">The hash of the NAR received; null when unknown.</param>
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
                upstream, path, Kebab.Of(fault), $"{claim.NarHash}", sent?.ToString(), time.GetUtcNow(), (before?.Times ?? 0) + 1)
            {
                Store = claim.Path.Store.Directory,
            });
            if (_latest.Count > Most)
            {
                _latest.RemoveLast();
            }
        }
    }
}
