using System.Collections.Immutable;
using TrustixProxy.Apt;
using TrustixProxy.AptGate.Hosting;
using TrustixProxy.AptGate.Rebuilders;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.AptGate.Inspection;

/// <summary>How bad a finding is.</summary>
public enum GateFindingKind
{
    /// <summary>As it should be.</summary>
    Good,

    /// <summary>The gate does not hold what it is there for.</summary>
    Bad,

    /// <summary>It could not be found out.</summary>
    Unknown,
}

/// <summary>What the doctor found.</summary>
/// <param name="About">A source, an archive or a rebuilder.</param>
/// <param name="Text">What is so, and what to do.</param>
public sealed record GateFinding(GateFindingKind Kind, string About, string Text);

/// <summary>Looks whether packages can only come through the gate, and whether archives and rebuilders are what the configuration
/// says.</summary>
/// <param name="options">The gate's configuration.</param>
public sealed class GateDoctor(AptGateOptions options)
{
    private const int MaxKeys = 64 << 10;

    /// <summary>Looks at the sources of a machine that is to use the gate.</summary>
    /// <param name="sources">Where its apt takes packages from.</param>
    /// <param name="gates">Addresses that lead to the gate: <c>http://gate.example.org:8092</c>.</param>
    public IEnumerable<GateFinding> OfSources(IReadOnlyList<AptSource> sources, IReadOnlyList<Uri> gates)
    {
        if (sources.Count is 0)
        {
            yield return new GateFinding(GateFindingKind.Unknown, "sources", "there is no source of packages on this machine");
        }

        foreach (var source in sources)
        {
            yield return Of(source, gates);
            if (source.IsTrusted)
            {
                yield return new GateFinding(GateFindingKind.Bad, source.Uri,
                    $"{source.File} has apt believe it unsigned (trusted): remove that, since only apt checks the archive's signature");
            }
        }
    }

    /// <summary>Asks archives and rebuilders.</summary>
    public async Task<IReadOnlyList<GateFinding>> OfPeersAsync(TimeProvider time, CancellationToken cancellation) =>
        [.. await Task.WhenAll(options.Rebuilders.Select(rebuilder => OfRebuilderAsync(rebuilder, time, cancellation)))];

    private GateFinding Of(AptSource source, IReadOnlyList<Uri> gates)
    {
        var gate = Uri.TryCreate(source.Uri, UriKind.Absolute, out var uri)
            ? gates.FirstOrDefault(gate => gate.Scheme == uri.Scheme && gate.Port == uri.Port && IsSameHost(gate, uri)) : null;
        if (gate is null)
        {
            return new GateFinding(GateFindingKind.Bad, source.Uri,
                $"{source.File} names it beside the gate: apt takes from there what the gate refuses. Remove it, or add it to archives");
        }

        var name = uri!.AbsolutePath.Split('/')[1];
        return options.Archives.Any(archive => archive.Name == name)
            ? new GateFinding(GateFindingKind.Good, source.Uri, $"{source.File}: through the gate")
            : new GateFinding(GateFindingKind.Bad, source.Uri, $"{source.File}: the gate has no archive '{name}'; it has "
                + string.Join(", ", options.Archives.Select(archive => archive.Name)));
    }

    private static bool IsSameHost(Uri gate, Uri uri) =>
        gate.IdnHost.Equals(uri.IdnHost, StringComparison.OrdinalIgnoreCase) || (gate.IsLoopback && uri.IsLoopback);

    private async Task<GateFinding> OfRebuilderAsync(RebuilderOptions rebuilder, TimeProvider time, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(options.Deadline);
        using var client = new RebuilderClient(
            rebuilder, options.Deadline, time, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
        var (name, answer) = (rebuilder.Elector.Name, await client.Upstream.ReadAsync(RebuilderClient.KeysPath, MaxKeys, limit.Token));
        return answer switch
        {
            UpstreamAnswer.FoundFile { File: var json } when RebuilderdReply.TryReadKeys(json, out var keys) => OfKeys(rebuilder, keys),
            UpstreamAnswer.Failed { Fault: var fault } => new GateFinding(GateFindingKind.Unknown, name, $"{rebuilder.Url}: {fault}"),
            _ => new GateFinding(GateFindingKind.Bad, name, $"{rebuilder.Url} is no rebuilderd: check its url"),
        };
    }

    private static GateFinding OfKeys(RebuilderOptions rebuilder, ImmutableArray<RebuilderKey> keys) =>
        keys.Any(key => key.ToString() == rebuilder.Elector.Key.ToString())
            ? new GateFinding(GateFindingKind.Good, rebuilder.Elector.Name, "answers, and shows the configured key")
            : new GateFinding(GateFindingKind.Bad, rebuilder.Elector.Name,
                "shows other keys than the configured one, so its attestations will not count: "
                    + $"{string.Join(", ", keys.Select(key => key.Id))}. Ask its operator before you change publicKey");
}
